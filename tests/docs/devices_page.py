"""docs/reference/simulated-devices.md: each kind of device, what it does, and the test that shows it.

Every named test is looked up by tests/docs/test_devices_page.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sim.devices.control import LEASE_OWN_S, RAMP_S, RETURN_S
from sim.devices.inverter_functions import MUST_TRIP, VOLT_VAR, VOLT_WATT
from tests.docs.tables import GENERATED, table

TESTS = Path(__file__).parents[1] / "sim"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`tests`: file::test, below tests/sim."""

    name: str
    what: str
    tests: tuple[str, ...]


def place_of(test: str) -> tuple[Path, str]:
    """File and function of a named test."""
    file, _, function = test.partition("::")
    return TESTS / f"{file}.py", function


_EVERY = "devices/test_every_kind::"
_UNITS = "devices/test_units::"
_BASIC = "devices/test_devices::"

KINDS: dict[str, tuple[Behaviour, ...]] = {
    "Every device": (
        Behaviour(
            "Lease", "A setpoint ends at the device itself when its lease does; without one after "
            f"{LEASE_OWN_S:g} s of its own. A breaker has none and keeps its position.",
            (f"{_EVERY}test_a_lease_ends_at_the_device",
             "devices/test_control::test_lease_runs_out_by_itself",
             "devices/test_control::test_no_lease_means_the_devices_own"),
        ),
        Behaviour(
            "Lost heartbeat", "Every request of the master is a sign of life. After `silence_s` (grid seconds, "
            "`[sim]`) without one, all devices behind its link return to their defaults, lease or not.",
            ("test_watchdog::test_silence_lets_go_what_is_held_and_a_breaker_stays",
             "test_watchdog::test_a_dnp3_master_that_stops_asking",
             "test_watchdog::test_an_opc_ua_client_is_heard_as_long_as_it_has_a_session"),
        ),
        Behaviour(
            "Local/remote switch", "At local it refuses with LOCAL and lets go what it held.",
            (f"{_EVERY}test_the_switch_stands_at_local",
             "test_pv_switch::test_over_opc_ua", "test_pv_switch::test_over_dnp3"),
        ),
        Behaviour(
            "Fault flag", "It takes nothing (BLOCKED), does nothing and has nothing available.",
            (f"{_EVERY}test_a_faulty_device_takes_and_does_nothing",),
        ),
        Behaviour(
            "Lost communication", "Behind its concentrator: last values with their old time, not good; commands "
            "are BLOCKED. What it holds, it goes on holding.",
            (f"{_EVERY}test_a_lost_device_shows_its_last_values_as_not_good",),
        ),
        Behaviour(
            "Range", "What is outside its rating is refused, never clipped; single precision on the wire is "
            "not outside.",
            ("devices/test_control::test_out_of_range_moves_nothing",
             "devices/test_control::test_the_rating_survives_single_precision"),
        ),
    ),
    "Load groups": (
        Behaviour(
            "Availability", "Follows the demand: what the customers do not draw cannot be shed.",
            (f"{_BASIC}test_shed_never_exceeds_what_flows",
             f"{_BASIC}test_faulty_group_has_nothing_to_give"),
        ),
        Behaviour(
            "Notice and ramp", "Waits for its delay, then ramps.",
            (f"{_BASIC}test_shed_waits_ramps_and_holds",),
        ),
        Behaviour(
            "Rebound", "Pays back its share in the quarters of an hour after the release.",
            (f"{_BASIC}test_rebound_pays_back_its_share",),
        ),
        Behaviour(
            "Cold-load pickup", "After an outage all call at once: up to as much again, decaying with half an hour.",
            ("test_faults::test_a_line_out_leaves_its_lateral_dark_and_warm_customers_come_back_hungry",),
        ),
        Behaviour(
            "Manual override", "The customers overrule it: accepted, nothing shed, nothing available.",
            ("test_faults::test_a_customer_override_takes_the_command_and_sheds_nothing",
             f"{_EVERY}test_customers_overrule_what_was_accepted"),
        ),
    ),
    "Thermostats: air conditioners, heat pumps, water heaters": (
        Behaviour(
            "Thermal model", "One room or tank each: leaks, is pushed back while the unit is on, dead band.",
            (f"{_UNITS}test_thermostats_differ_and_follow_the_weather",),
        ),
        Behaviour(
            "Diversity", "Units differ and do not switch together.",
            (f"{_UNITS}test_thermostats_differ_and_follow_the_weather",),
        ),
        Behaviour(
            "Rebound", "Not prescribed: rooms that have warmed call for more afterwards.",
            (f"{_UNITS}test_a_shed_is_held_and_comes_back_as_a_rebound",),
        ),
        Behaviour(
            "Cold-load pickup", "Likewise, after an outage.",
            (f"{_UNITS}test_an_outage_ends_in_cold_load_pickup",),
        ),
        Behaviour(
            "Compressor", "Rests for three minutes before it starts again.",
            (f"{_UNITS}test_a_compressor_rests_before_it_starts_again",),
        ),
        Behaviour(
            "Water heaters", "Draws of hot water by the time of day; what is shed is heated later.",
            (f"{_UNITS}test_water_heaters_store_what_is_shed",),
        ),
        Behaviour(
            "Manual override", "The owners overrule it: it goes on as if nothing had been said.",
            (f"{_UNITS}test_thermostats_whose_owners_have_overruled_it_go_on",),
        ),
    ),
    "Charging points": (
        Behaviour(
            "Sessions", "Cars come home around an hour, want their energy, leave in the morning; what is missing "
            "then is counted.",
            (f"{_UNITS}test_cars_come_in_the_evening_and_keep_their_need",),
        ),
        Behaviour(
            "Manual override", "As with load groups.", (f"{_EVERY}test_customers_overrule_what_was_accepted",),
        ),
    ),
    "Industrial blocks": (
        Behaviour(
            "Minimum run and pause", "Whole blocks, the fewest that reach the setpoint, and only those that have "
            "run long enough; they come back one by one.",
            (f"{_UNITS}test_blocks_go_off_whole_and_come_back_one_by_one",),
        ),
        Behaviour(
            "Manual override", "As with load groups.", (f"{_EVERY}test_customers_overrule_what_was_accepted",),
        ),
    ),
    "Batteries": (
        Behaviour(
            "State of charge", "Stops at its limits, both ways.", (f"{_BASIC}test_battery_stops_at_its_limits",),
        ),
        Behaviour(
            "Efficiency and ramp", "Drains by more than it gives; follows within its ramp.",
            (f"{_BASIC}test_battery_ramps_and_drains_by_its_efficiency",),
        ),
        Behaviour(
            "Temperature limit", "Hot cells halve its power until they are 5 K cooler.",
            (f"{_UNITS}test_a_hot_battery_halves_its_power_until_it_is_cooler",),
        ),
        Behaviour(
            "Trip and return", f"Off at once; back after {RETURN_S:g} s by a ramp of {RAMP_S:g} s.",
            ("test_faults::test_an_inverter_trip_comes_back_by_a_ramp",),
        ),
        Behaviour(
            "Island", "Carries a lateral that is cut off, as long as rating and charge suffice.",
            ("test_faults::test_an_islanded_lateral_lives_off_its_battery_as_long_as_it_can",),
        ),
    ),
    "PV inverters": (
        Behaviour(
            "Curtailment", "Gives what the sun gives, below its ceiling, by its ramp.",
            (f"{_BASIC}test_pv_gives_the_sun_below_its_ceiling",),
        ),
        Behaviour(
            "Volt-var", "IEEE 1547-2018 table 8, category B: " + ", ".join(f"{v:g} pu {q:+g}" for v, q in VOLT_VAR)
            + " of rated kVA; where `functions` of its row says so.",
            (f"{_UNITS}test_the_standards_curves",
             f"{_UNITS}test_an_inverter_supports_the_voltage_only_when_it_is_told_to"),
        ),
        Behaviour(
            "Volt-watt", "Table 10: " + ", ".join(f"{v:g} pu {p:g}" for v, p in VOLT_WATT) + " of its rating.",
            (f"{_UNITS}test_the_standards_curves",
             f"{_UNITS}test_an_inverter_supports_the_voltage_only_when_it_is_told_to"),
        ),
        Behaviour(
            "Ride-through", "Category II: must trip " + ", ".join(
                f"{'above' if above else 'below'} {v:g} pu after {s:g} s" for v, s, above in MUST_TRIP
            ) + ".",
            (f"{_UNITS}test_ride_through",),
        ),
    ),
    "Generators, diesel or gas": (
        Behaviour(
            "Start time, ramp, least load, cooling", "Nothing for its start time, then its ramp, never below its least "
            "load; cools down after the last kW; off at once with the grid.",
            (f"{_UNITS}test_a_generator_starts_ramps_holds_its_least_load_and_cools",),
        ),
    ),
    "Regulators and capacitor banks": (
        Behaviour(
            "Regulator", "Line-drop compensation; waits for its delay, then a tap each 5 s; never past the end.",
            ("test_regulation::test_compensation_takes_off_the_line_drop",
             "test_regulation::test_waits_for_its_delay_then_goes_on_at_the_mechanisms_pace",
             "test_regulation::test_never_past_the_last_tap"),
        ),
        Behaviour(
            "Stuck", "The tap changer no longer moves.",
            ("test_faults::test_a_stuck_regulator_stays_where_it_is",),
        ),
        Behaviour(
            "Capacitor bank", "Opens when the voltage is high, closes when it is low, then is locked for five minutes.",
            ("test_regulation::test_capacitor_switches_once_and_locks_out",),
        ),
    ),
    "Breakers and switches": (
        Behaviour(
            "Operating time", "From the command to the new position; keeps it.",
            (f"{_UNITS}test_a_breaker_takes_its_time_and_keeps_its_position",),
        ),
        Behaviour(
            "What is behind it", "Dark while it is open, and counted as not served.",
            ("test_faults::test_a_tripped_breaker_and_a_tripped_head",),
        ),
    ),
}  # fmt: skip

_INTRO = """\
Every device behind the simulated outstations and servers has a life of its own, in grid time. It follows from the
scenario, the seed and the commands received; nothing is drawn anew at a restart.

Every commandable device shows its switch and its fault flag on the wire. Frequency is not simulated. How devices come from tables is in [feeders](feeders.md), how they are broken on purpose in
[faults and scenarios](simulator-faults.md)."""


def devices_page() -> str:
    """The whole page."""
    return "\n\n".join(_parts()) + "\n"


def _parts() -> Iterator[str]:
    yield f"# Simulated devices\n\n{GENERATED}"
    yield _INTRO
    for kind, behaviours in KINDS.items():
        rows = (
            (one.name, one.what, "<br>".join(f"`{test.partition('::')[2]}`" for test in one.tests))
            for one in behaviours
        )
        yield f"## {kind}\n\n" + table(("behaviour", "what it does", "shown by"), rows)
