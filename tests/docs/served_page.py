"""docs/reference/simulator-served.md: what the simulator serves, and the test that shows each line.

Every named test is looked up by tests/docs/test_served_page.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.outstation import EVENTS_PER_CLASS, SELECT_TIMEOUT_S
from sim.outstation_forms import EVENTS, STATIC
from tests.docs.tables import GENERATED, table

TESTS = Path(__file__).parents[1]
SERVED, MASTERS = "peers/dnp3/test_served", "peers/dnp3/test_masters"
OUTSTATION, FAULTS, SERVER = "sim/test_outstation", "sim/test_wire_faults", "sim/test_server"
EVERYTHING = (
    f"{SERVED}::test_yadnp3_reads_everything",
    f"{SERVED}::test_dnp3py_reads_everything",
    f"{SERVED}::test_py1815_reads_everything_that_it_knows",
)


@dataclass(frozen=True, slots=True)
class Served:
    """`tests`: file::test, below tests/."""

    name: str
    how: str
    tests: tuple[str, ...]


def place_of(test: str) -> tuple[Path, str]:
    """File and function of a named test."""
    file, _, function = test.partition("::")
    return TESTS / f"{file}.py", function


def _variations(group: int) -> str:
    return ", ".join(map(str, sorted(STATIC[group])))


def _events(group: int) -> str:
    return ", ".join(map(str, sorted(EVENTS[group])))


DNP3 = (
    Served(
        "TCP, addresses of its own",
        "One listener a link on loopback; master and outstation address are the link's.",
        (f"{MASTERS}::test_yadnp3", f"{MASTERS}::test_dnp3py", f"{MASTERS}::test_py1815"),
    ),
    Served(
        "As many outstations as wanted",
        "One for each DNP3 link of the points file; 200 with 50 points each in `make bench-simulator`.",
        ("sim/test_instance::test_every_protocol_can_speak_its_points",),
    ),
    Served(
        "TLS",
        "Mutual, the master's name pinned (`[sim.tls.LINK]`).",
        ("sim/test_outstation_tls::test_only_the_master_whose_name_is_pinned_reads",),
    ),
    Served(
        "Binary inputs",
        "g1v2, events g2v1, v2, v3 in class 1.",
        (f"{SERVED}::test_yadnp3_reads_everything", f"{SERVED}::test_dnp3py_reads_everything"),
    ),
    Served("Double-bit inputs", "g3v2, events g4v1, v2, v3.", EVERYTHING[:1]),
    Served(
        "Counters",
        f"g20v{_variations(20)}; events g22v{_events(20)} where a class is given.",
        EVERYTHING,
    ),
    Served(
        "Frozen counters",
        "IMMED_FREEZE and FREEZE_CLEAR; g21v1, v2, events g23v1, v5 in class 3.",
        EVERYTHING[:1],
    ),
    Served(
        "Analog inputs",
        f"g30v{_variations(30)}, events g32v{_events(30)} in class 2; floats unless a point has a "
        "form of its own; what does not fit saturates with OVER_RANGE.",
        (*EVERYTHING, f"{OUTSTATION}::test_floats_saturate_and_say_so"),
    ),
    Served(
        "Outputs",
        "g10v2, g40v1 to v4 show what was operated, or the feedback at the same index.",
        (f"{OUTSTATION}::test_outputs_show_what_was_operated_and_feedback_may_share_them",),
    ),
    Served(
        "Variations by point",
        "`variations.csv`; a variation that a master names is served.",
        (*EVERYTHING, f"{SERVED}::test_forms_beside_the_points_file"),
    ),
    Served(
        "Sparse maps",
        "Indices may have gaps.",
        (*EVERYTHING, f"{OUTSTATION}::test_hundreds_of_scattered_points_arrive_in_many_fragments"),
    ),
    Served(
        "Event classes",
        "By kind; `class` in `variations.csv`; ASSIGN CLASS (function 22) until the device restarts.",
        (
            f"{SERVED}::test_yadnp3_reads_everything",
            f"{SERVED}::test_assign_class_is_answered",
            f"{SERVED}::test_a_restarted_outstation_has_forgotten_what_was_assigned",
        ),
    ),
    Served(
        "Deadbands",
        "Of the points file; they hold events back, not polls.",
        (
            f"{OUTSTATION}::test_deadband_holds_events_back_but_not_polls",
            f"{SERVED}::test_yadnp3_reads_everything",
        ),
    ),
    Served(
        "Unsolicited",
        "When a master enables it, class by class; told again until confirmed.",
        (
            f"{MASTERS}::test_yadnp3",
            f"{MASTERS}::test_py1815",
            f"{MASTERS}::test_events_that_are_not_confirmed_are_told_again",
        ),
    ),
    Served(
        "Time",
        "Asks for it (IIN1.4); WRITE g50v1 and v3, RECORD_CURRENT_TIME, DELAY_MEASURE.",
        (f"{MASTERS}::test_yadnp3", f"{MASTERS}::test_py1815"),
    ),
    Served(
        "Restart",
        "IIN1.7 until a master clears it; events do not survive a power cut.",
        (
            f"{OUTSTATION}::test_a_power_cut_is_a_restart_and_events_do_not_survive",
            f"{FAULTS}::test_a_crash_closes_the_port_and_a_restart_says_so",
        ),
    ),
    Served(
        "Overflow",
        f"IIN2.3 when a class has more than {EVENTS_PER_CLASS:,} events.",
        (f"{FAULTS}::test_an_event_storm_overflows_the_buffer",),
    ),
    Served(
        "SELECT before OPERATE",
        f"Held {SELECT_TIMEOUT_S:g} s; an OPERATE that differs, is late or has none is refused. "
        "DIRECT OPERATE is not there.",
        (
            f"{MASTERS}::test_py1815",
            f"{MASTERS}::test_dnp3py",
            f"{SERVED}::test_a_select_is_forgotten",
            f"{OUTSTATION}::test_direct_operate_does_not_exist_here",
        ),
    ),
    Served(
        "Controls",
        "g12v1 latch, pulse, trip and close as the point's `command` says; g41v1 to v4.",
        (
            f"{SERVED}::test_yadnp3_reads_everything",
            f"{OUTSTATION}::test_a_latch_goes_to_the_plant_as_one_and_zero",
        ),
    ),
    Served(
        "LOCAL, BLOCKED and every other word",
        "As the device judges it; a status of its own each.",
        (
            f"{OUTSTATION}::test_every_verdict_is_a_status",
            f"{OUTSTATION}::test_rejected_select_is_local_and_counted_at_the_device",
            f"{MASTERS}::test_yadnp3",
        ),
    ),
    Served(
        "Masters that break rules",
        "py1815.master's deviations: nothing is carried out twice.",
        (
            f"{MASTERS}::test_a_master_that_breaks_a_rule_moves_nothing",
            f"{FAULTS}::test_a_master_that_deviates_is_not_answered_and_does_no_harm",
        ),
    ),
    Served(
        "Well-formed frames",
        "tshark finds none malformed; it listens in all tests with masters.",
        (*EVERYTHING, f"{FAULTS}::test_tshark_finds_nothing_malformed_not_even_in_a_storm"),
    ),
)
OPC_UA = (
    Served(
        "Types",
        "FeederType, BreakerType, DerType, LoadGroupType; NodeSet2 in `sim/nodeset`.",
        (
            f"{SERVER}_types::test_devices_are_of_their_type_and_show_its_components",
            "peers/test_opcua_clients::test_node_opcua_reads_types_and_calls_methods",
            "peers/test_opcua_clients::test_o6_reads_and_calls_methods",
        ),
    ),
    Served(
        "Writes",
        "Checked against EURange, type and access before they reach the plant.",
        (
            f"{SERVER}::test_write_reaches_the_plant_with_the_lease_beside_it",
            f"{SERVER}::test_wrong_write_is_refused_and_reaches_nothing",
        ),
    ),
    Served(
        "Methods",
        "`SetW(Value, CommandId, ValidUntil)`: late and twice are refused.",
        (
            f"{SERVER}::test_method_is_judged_by_the_device",
            f"{SERVER}::test_late_and_duplicate_calls_are_refused",
        ),
    ),
    Served(
        "Users and certificates",
        "Basic256Sha256 SignAndEncrypt only, one trusted certificate, one user.",
        (
            f"{SERVER}_hardening::test_unencrypted_channel_is_refused",
            f"{SERVER}_hardening::test_wrong_user_or_password_is_refused",
            f"{SERVER}_hardening::test_untrusted_client_certificate_is_refused",
        ),
    ),
    Served(
        "The three patches of asyncua",
        "Tokens that cannot be guessed, sessions bound to their channel, failed activation ends one.",
        (
            f"{SERVER}_hardening::test_session_tokens_cannot_be_guessed",
            f"{SERVER}_hardening::test_another_channel_cannot_take_a_session_over",
            f"{SERVER}_hardening::test_failed_reactivation_ends_the_session",
        ),
    ),
)

_INTRO = f"""\
# What the simulator serves

{GENERATED}

Line by line, with the tests that show it (below `tests/`). Independent readers: opendnp3 (yadnp3), dnp3py,
py1815's master, node-opcua and o6; tshark judges the frames. How to use it: [your own
master](../tutorial/your-own-master.md). How it fails on demand: [faults](simulator-faults.md)."""
_NOT = """\
## Not served

DIRECT OPERATE, by decision. Events of outputs (g11, g13, g42, g43), frozen analogs (g31, g33), octet strings (g110),
files, DNP3 secure authentication; cold and warm restart by a master (functions 13, 14: `gridctl sim fault
outstation-restart` does it). OPC UA history and alarms: what gridctl does with them is tested against other servers."""


def served_page() -> str:
    """The whole page."""
    heads = ("what", "how", "tests")
    parts = [_INTRO]
    for title, rows in (("DNP3", DNP3), ("OPC UA", OPC_UA)):
        told = [(r.name, r.how, "<br>".join(f"`{t}`" for t in r.tests)) for r in rows]
        parts.append(f"## {title}\n\n{table(heads, told)}")
    return "\n\n".join([*parts, _NOT]) + "\n"
