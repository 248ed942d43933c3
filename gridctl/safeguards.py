"""The register of safeguards SG-01 … SG-37: what each does, where it is set, what proves it.

`gridctl check safeguards` prints it, docs/reference/safeguards.md is made from it, and a test fails
when one that is said to be in force has no test of its name. Defaults and ranges are read from the
code that enforces them. What is not there yet says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gridctl.config import ApprovalTable, DispatchTable
from gridctl.control.batches import BATCH_SHARE
from gridctl.control.dispatcher import FAILED_SHARE_MAX
from gridctl.control.effect import KEPT_SHARE_MAX, KEPT_SHARE_MIN
from gridctl.control.interlock import GOOD_SHARE_MIN
from gridctl.field.confirmation import READ_BACK_TIMEOUT_S
from gridctl.field.deadman import STOP_POLL_S
from gridctl.model.order import COMMANDS_PER_ORDER_MAX
from gridctl.model.staleness import STALE_MIN_S, STALE_SCANS
from gridctl.store.users import (
    ABSOLUTE_S,
    FREE_FAILURES,
    IDLE_S,
    PASSWORD_LENGTH_MIN,
    SESSIONS_MAX,
)

NUMBERS = range(1, 38)
OT_LIMITS = "limits.toml, each device"


class Standing(StrEnum):
    """How far a safeguard is there."""

    IN_FORCE = "in force"
    IN_PART = "in part"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a safeguard is set. `range`: what the program accepts."""

    name: str
    default: str
    range: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguard:
    """One requirement. `missing`: what of it is not there; "" when nothing is."""

    number: int
    title: str
    what: str
    seen: str
    standing: Standing
    missing: str = ""
    settings: tuple[Setting, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """As it is cited: SG-05."""
        return f"SG-{self.number:02}"


def _set(table: type[BaseModel], name: str, key: str, unit: str) -> Setting:
    """A key of gridctl.toml with the default and range that its table enforces."""
    info: FieldInfo = table.model_fields[key]
    bounds = {type(m).__name__: m for m in info.metadata}
    low = next((f"{b.gt:g} <" for n, b in bounds.items() if n == "Gt"), "")
    low = low or next((f"{b.ge:g} …" for n, b in bounds.items() if n == "Ge"), "")
    high = next((f"{b.le:g}" for n, b in bounds.items() if n == "Le"), "")
    default = "none: must be given" if info.is_required() else f"{info.default:g} {unit}"
    return Setting(name=f"{name}.{key}", default=default, range=f"{low} {high} {unit}".strip())


def _fixed(name: str, value: str) -> Setting:
    return Setting(name=name, default=value, range="fixed in the code")


def _limit(key: str) -> Setting:
    return Setting(name=f"{OT_LIMITS}: {key}", default="none: must be given", range="OT's own file")


_D, _A, _S = DispatchTable, ApprovalTable, Standing

REGISTER: tuple[Safeguard, ...] = (
    Safeguard(
        number=1,
        title="Select before operate",
        what="DNP3 controls go out as SELECT and OPERATE of the same object; anything in between, "
        "a status other than success, or time voids the select.",
        seen="command ladder: selected, operated",
        standing=_S.IN_FORCE,
        tests=(
            "test_sg01_operate_that_matches_its_select_passes_once",
            "test_sg01_operate_that_does_not_match_is_refused_and_voids_the_select",
            "test_sg01_anything_in_between_voids_the_select",
        ),
    ),
    Safeguard(
        number=2,
        title="OPC UA: read, write, read back",
        what="The present value is read first, the write or method is judged by its status, and "
        "the feedback point must show the value.",
        seen="command ladder: accepted, confirmed",
        standing=_S.IN_FORCE,
        settings=(_fixed("one read-back", f"{READ_BACK_TIMEOUT_S:g} s"),),
        tests=(
            "test_sg02_wrong_expected_point_is_refused",
            "test_sg02_wider_tolerance_than_the_points_file_is_refused",
        ),
    ),
    Safeguard(
        number=3,
        title="One command in flight a device",
        what="A second command to a device that is busy is refused by the field.",
        seen="refused order, alarm",
        standing=_S.IN_PART,
        missing="a lock with owner and time-out that people see",
        tests=(
            "test_sg03_busy_point_is_refused",
            "test_sg03_point_twice_in_one_order_is_refused",
        ),
    ),
    Safeguard(
        number=4,
        title="Five separate states",
        what="Intended, sent, accepted, confirmed and effective each have a proof of their own in "
        "one transition table; intent is never shown as fact.",
        seen="plan review and commands: the ladder",
        standing=_S.IN_FORCE,
        tests=(
            "test_sg04_each_rung_has_what_proves_the_one_below",
            "test_sg04_what_a_device_took_never_counts_as_failed",
            "test_sg04_the_table_is_the_only_word",
        ),
    ),
    Safeguard(
        number=5,
        title="Limits enforced in the field",
        what="Range, step, pace, commands an hour and an area's budget are checked again by the "
        "field guard from OT's file; refused, never clipped.",
        seen="refused order with reason, alarm",
        standing=_S.IN_PART,
        missing="a signature on limits.toml (its digest is compared at both ends); ramp; switch "
        "operations a day",
        settings=(
            _limit("min_value, max_value"),
            _limit("step_max"),
            _limit("interval_min_s"),
            _limit("per_hour_max"),
            Setting(
                name="limits.toml, each area: budget_kw, window_s",
                default="none: must be given",
                range="OT's own file",
            ),
        ),
        tests=(
            "test_sg05_value_outside_the_limits_is_refused",
            "test_sg05_step_that_is_too_large_is_refused",
            "test_sg05_command_too_soon_after_the_last_is_refused",
            "test_sg05_too_many_commands_in_an_hour_are_refused",
            "test_sg05_area_budget_holds_over_one_order_and_over_time",
            "test_sg05_nothing_has_a_default",
        ),
    ),
    Safeguard(
        number=6,
        title="Two persons for large plans",
        what="From a power or a number of customers on, two people must approve.",
        seen="plan review: approvals",
        standing=_S.IN_PART,
        missing="emergency events, limit overrides, mode promotion, tag removal: none of these "
        "exists yet; share of the feeder's peak",
        settings=(
            _set(_A, "[approval]", "two_person_kw", "kW"),
            _set(_A, "[approval]", "two_person_customers", "customers"),
        ),
        tests=(
            "test_sg06_large_plans_need_two_persons",
            "test_sg06_order_that_nobody_approved_is_refused",
        ),
    ),
    Safeguard(
        number=7,
        title="Proposer is no approver, two sessions",
        what="The proposer never counts; two approvals are two users in two sessions.",
        seen="plan review: why this person cannot approve",
        standing=_S.IN_PART,
        missing="renewed sign-in before an approval; a second factor",
        tests=(
            "test_sg07_two_approvals_are_two_persons_in_two_sessions",
            "test_sg07_same_person_twice_and_sg09_other_digest_are_refused",
        ),
    ),
    Safeguard(
        number=8,
        title="Plans and approvals expire",
        what="A plan that waited too long, or whose approval is too old, is never released.",
        seen="countdown on overview, plans, review",
        standing=_S.IN_PART,
        missing="day-ahead plans with an expiry before their start",
        settings=(
            _set(_A, "[approval]", "plan_life_s", "s"),
            _set(_A, "[approval]", "approval_life_s", "s"),
        ),
        tests=(
            "test_sg08_expired_plan_is_never_released",
            "test_sg08_expired_order_is_refused",
            "test_sg08_an_ended_plan_never_lives_again",
        ),
    ),
    Safeguard(
        number=9,
        title="Approval bound to what was shown",
        what="An approval names the digest on the screen; another one is refused with 409.",
        seen="plan review: digest; refusal with the reason",
        standing=_S.IN_FORCE,
        tests=(
            "test_sg09_a_changed_plan_is_409_and_says_so",
            "test_sg09_approval_of_another_digest_is_refused",
            "test_sg09_order_without_the_digest_of_its_plan_is_refused",
        ),
    ),
    Safeguard(
        number=10,
        title="A dialog that states the act",
        what="The confirmation says action, count, kW, customers, areas and whether a second "
        "person is needed; the focus is on Cancel when two must approve.",
        seen="approve dialog",
        standing=_S.IN_PART,
        missing="a cool-down on the server",
        tests=("test_sg10_a_large_plan_needs_two_people_and_nothing_is_shown_as_done_before",),
    ),
    Safeguard(
        number=11,
        title="Break-glass",
        what="Release of an emergency plan by one person, with alarm and review.",
        seen="",
        standing=_S.NOT_YET,
        missing="there are no emergency plans yet",
    ),
    Safeguard(
        number=12,
        title="Good data or no dispatch",
        what="Stale points, dead links, a bad head measurement, too few good points or a clock "
        "that is off block approval and release.",
        seen="overview and review: the reasons; alarm",
        standing=_S.IN_FORCE,
        settings=(
            _fixed("stale after", f"max({STALE_SCANS} scans, {STALE_MIN_S:g} s)"),
            _fixed("good points needed", f"{GOOD_SHARE_MIN:.0%}"),
            _set(_D, "[dispatch]", "clock_offset_max_s", "s"),
        ),
        tests=(
            "test_sg12_stale_after_three_scans_but_not_before_ten_seconds",
            "test_sg12_dead_link_blocks_the_plan_that_needs_it",
            "test_sg12_no_order_while_the_clock_is_not_trusted",
        ),
    ),
    Safeguard(
        number=13,
        title="Stale screen",
        what="No frame for 3 s: DATA STALE, values dimmed, approval disabled; the server asks the "
        "same of its own data.",
        seen="banner on every screen",
        standing=_S.IN_FORCE,
        settings=(_fixed("stale after", "3 s"),),
        tests=(
            "test_sg13_a_frozen_office_is_seen_in_four_seconds_and_stop_works_without_it",
            "test_sg13_stale_data_dims_the_values_and_blocks_approval",
        ),
    ),
    Safeguard(
        number=14,
        title="Validated again before each batch",
        what="Model, limits, devices, head and voltages must still be those of the plan; else it "
        "needs a new approval.",
        seen="plan: void or stopped, with the reason",
        standing=_S.IN_PART,
        missing="an AC power flow of the rest of the plan before each batch",
        settings=(
            _set(_D, "[dispatch]", "drift_head_pct", "%"),
            _set(_D, "[dispatch]", "drift_head_kw", "kW"),
            _set(_D, "[dispatch]", "drift_voltage_pu", "pu"),
        ),
        tests=("test_sg14_plan_is_void_when_the_feeder_has_moved_away",),
    ),
    Safeguard(
        number=15,
        title="AC check before a proposal",
        what="A plan without a converged power flow before and after, or with a failed check, is "
        "not proposed.",
        seen="plan review: AC check",
        standing=_S.IN_FORCE,
        tests=("test_sg15_what_is_not_verified_is_not_proposed",),
    ),
    Safeguard(
        number=16,
        title="Violations that are there already",
        what="A plan may not make a violation or worsen one.",
        seen="plan review: AC check",
        standing=_S.IN_PART,
        missing="a choice per objective (hard, do not worsen, may worsen with two persons)",
        tests=("test_sg16_a_plan_that_breaks_a_voltage_fails_and_names_the_place",),
    ),
    Safeguard(
        number=17,
        title="Canary, then batches",
        what="The smallest device goes alone and first; then batches, each settling before the "
        "next; too many failures or a crossed limit stop the plan.",
        seen="commands: batch order; plan: stopped, with the reason",
        standing=_S.IN_FORCE,
        settings=(
            _fixed("batch, share of the kW", f"{BATCH_SHARE:.0%}"),
            _fixed("failures allowed", f"{FAILED_SHARE_MAX:.0%}"),
            _fixed("commands an order", f"{COMMANDS_PER_ORDER_MAX}"),
            _set(_D, "[dispatch]", "batch_settle_s", "grid s"),
        ),
        tests=(
            "test_sg17_rejected_canary_stops_the_plan_before_anything_moves",
            "test_sg17_too_many_commands_are_refused",
        ),
    ),
    Safeguard(
        number=18,
        title="Verified by measurement",
        what="The feedback point must show the value; the feeder head must fall as promised, else "
        "the commands are unconfirmed and an alarm is raised.",
        seen="review: effect against its band; ladder",
        standing=_S.IN_PART,
        missing="time-outs by class of device",
        settings=(
            _set(_D, "[dispatch]", "confirm_timeout_s", "s"),
            _set(_D, "[dispatch]", "effect_settle_s", "grid s"),
            _set(_D, "[dispatch]", "effect_watch_s", "grid s"),
            _fixed("kept", f"{KEPT_SHARE_MIN:.0%} … {KEPT_SHARE_MAX:.0%} of the promise"),
        ),
        tests=(
            "test_sg18_effect_that_does_not_come_is_told",
            "test_sg18_the_band_of_a_promise",
            "test_sg18_measured_is_within_a_tenth_of_what_the_feeder_really_did",
        ),
    ),
    Safeguard(
        number=19,
        title="Nothing is sent twice",
        what="There is no retry at all: an open outcome is settled by reading the device.",
        seen="commands: not known",
        standing=_S.IN_FORCE,
        tests=(
            "test_sg19_command_that_was_let_through_before_is_refused",
            "test_sg18_sg19_what_the_wire_leaves_open_is_looked_up_and_never_sent_again",
        ),
    ),
    Safeguard(
        number=20,
        title="Policy for partial failure",
        what="Hold, continue or roll back, chosen in the plan before approval.",
        seen="",
        standing=_S.NOT_YET,
        missing="the policy is fixed: a plan that stops holds what it has until the leases end",
    ),
    Safeguard(
        number=21,
        title="STOP",
        what="On every screen, by key, from the terminal and by a file that the field polls; "
        "nothing leaves any more, selected is not operated. Return to default is a second act.",
        seen="every screen; banner; alarm",
        standing=_S.IN_FORCE,
        settings=(_fixed("the stop file is looked at every", f"{STOP_POLL_S:g} s"),),
        tests=(
            "test_sg21_stop_in_the_middle_of_a_batch",
            "test_sg21_stop_file_is_seen_within_half_a_second_and_before_operate",
            "test_sg21_stop_from_every_screen",
        ),
    ),
    Safeguard(
        number=22,
        title="Leases",
        what="Each setpoint ends by itself: the device or the field returns it to its default, "
        "with the office dead, too.",
        seen="overview: lease left; commands: released",
        standing=_S.IN_FORCE,
        settings=(_limit("lease_max_s"), _limit("default_value")),
        tests=(
            "test_sg22_lease_runs_out_and_the_default_is_written_without_any_office",
            "test_sg22_leases_run_out_with_the_office_dead",
            "test_sg22_lease_that_is_too_long_is_refused",
        ),
    ),
    Safeguard(
        number=23,
        title="Heartbeats",
        what="A link whose heartbeat point stands still is stale as a whole and takes no command.",
        seen="links; quality of its points",
        standing=_S.IN_PART,
        missing="a heartbeat that we write and the device reverts by",
        tests=(
            "test_sg23_frozen_device_turns_stale_and_takes_no_command",
            "test_sg23_a_frozen_heartbeat_makes_the_whole_link_stale_however_much_it_talks",
        ),
    ),
    Safeguard(
        number=24,
        title="Bumpless transfer",
        what="First output is the last confirmed value; back to nominal by a ramp.",
        seen="",
        standing=_S.NOT_YET,
        missing="devices return to their default in one step",
    ),
    Safeguard(
        number=25,
        title="One master",
        what="Orders carry an epoch and a sequence; replays and older epochs are refused.",
        seen="refused order, alarm",
        standing=_S.IN_PART,
        missing="a fencing lease for a standby; an alarm of its own for BLOCKED_OTHER_MASTER",
        tests=(
            "test_sg25_replayed_order_is_refused",
            "test_sg25_order_of_an_older_epoch_is_refused",
            "test_sg25_replay_is_refused_after_a_restart_too",
        ),
    ),
    Safeguard(
        number=26,
        title="Tags",
        what="An inhibited point takes no command, enforced in the field.",
        seen="plan review: excluded, inhibited by OT",
        standing=_S.IN_PART,
        missing="placing and removing tags with owner, reason and kind; "
        "today a list in limits.toml",
        settings=(
            Setting(name="limits.toml: inhibited", default="none: must be given", range="points"),
        ),
        tests=(
            "test_sg26_inhibited_point_is_refused",
            "test_sg26_default_of_an_inhibited_point_is_not_written",
        ),
    ),
    Safeguard(
        number=27,
        title="Interlocks",
        what="Local switch, fault, dead link, unknown state: no command. State of charge and rest "
        "times are constraints of the plan.",
        seen="plan review: excluded, with the reason",
        standing=_S.IN_PART,
        missing="maintenance state, opt-out, overrides by two persons",
        tests=(
            "test_sg27_device_on_local_is_refused",
            "test_sg27_device_with_a_fault_is_refused",
            "test_sg27_switch_that_is_not_known_is_refused",
        ),
    ),
    Safeguard(
        number=28,
        title="Alarm states",
        what="Unacknowledged, acknowledged, returned to normal unacknowledged, normal.",
        seen="alarms",
        standing=_S.IN_PART,
        missing="latched, shelved, suppressed by design, out of service",
        tests=(
            "test_sg28_returned_to_normal_stays_until_seen_and_goes_then",
            "test_sg28_seen_while_it_lasts_goes_with_its_cause",
        ),
    ),
    Safeguard(
        number=29,
        title="Alarm figures",
        what="Rate, flood, stale and chattering alarms on a page and in a report.",
        seen="",
        standing=_S.NOT_YET,
        missing="all of it",
    ),
    Safeguard(
        number=30,
        title="Three priorities, each with a response",
        what="Every alarm has a priority by shape, number, colour and word, and says what to do.",
        seen="alarms",
        standing=_S.IN_PART,
        missing="cause, consequence and time to respond; a list apart for system alarms; "
        "first-out; sound",
        tests=("test_sg30_an_alarm_without_priority_or_response_cannot_be_raised",),
    ),
    Safeguard(
        number=31,
        title="Roles",
        what="Each route asks for one permission; unlisted means no. Security administration may "
        "not operate, operators may not manage users.",
        seen="what a person cannot do is disabled, with the reason",
        standing=_S.IN_PART,
        missing="areas of responsibility; roles INSTALLER and RBACMNT",
        tests=(
            "test_sg31_no_role_has_what_another_must_keep_apart",
            "test_sg31_viewer_may_look_and_nothing_else",
            "test_sg31_every_route_with_a_permission_refuses_a_stranger",
        ),
    ),
    Safeguard(
        number=32,
        title="Sessions",
        what="An idle session keeps picture and STOP and loses the rest; a shift ends it; failures "
        "lock a name for longer and longer. `gridctl stop` needs no session.",
        seen="sign-in",
        standing=_S.IN_FORCE,
        settings=(
            _fixed("idle", f"{IDLE_S:g} s"),
            _fixed("absolute", f"{ABSOLUTE_S:g} s"),
            _fixed("sessions a user", f"{SESSIONS_MAX}"),
            _fixed("failures before a lock", f"{FREE_FAILURES}"),
        ),
        tests=(
            "test_sg32_idle_locks_and_a_look_does_not_unlock",
            "test_sg32_a_shift_ends",
            "test_sg32_the_fourth_session_closes_the_first",
            "test_sg32_five_failures_lock_for_longer_and_longer",
        ),
    ),
    Safeguard(
        number=33,
        title="Passwords",
        what="Length, no composition rules, kept as argon2id only.",
        seen="`gridctl user`",
        standing=_S.IN_PART,
        missing="a list of breached passwords; profiles IEEE 1686 and CIP-007",
        settings=(_fixed("shortest", f"{PASSWORD_LENGTH_MIN} characters"),),
        tests=(
            "test_sg33_bad_users_are_refused",
            "test_sg33_only_an_argon2id_hash_is_kept",
        ),
    ),
    Safeguard(
        number=34,
        title="Audit",
        what="Each act is a row of a hash chain, written in the act's own transaction; without a "
        "record no new command leaves.",
        seen="audit; `gridctl audit verify`",
        standing=_S.IN_PART,
        missing="signed checkpoints outside the database: a cut tail is not "
        "seen by the chain alone",
        tests=(
            "test_sg34_tampering_is_found",
            "test_sg34_our_own_mistakes_cannot_change_it",
        ),
    ),
    Safeguard(
        number=35,
        title="Shift handover",
        what="Outgoing and incoming sign what is open.",
        seen="",
        standing=_S.NOT_YET,
        missing="all of it",
    ),
    Safeguard(
        number=36,
        title="Manual steps by telephone",
        what="Issue, repeat-back and confirmation as three fields.",
        seen="",
        standing=_S.NOT_YET,
        missing="all of it",
    ),
    Safeguard(
        number=37,
        title="Modes",
        what="Shadow, advisory, closed loop within an envelope, with demotion.",
        seen="top bar: advisory",
        standing=_S.NOT_YET,
        missing="there is one mode, advisory: each plan needs people",
    ),
)
