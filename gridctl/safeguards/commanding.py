"""Commanding: SG-01 … SG-05."""

from __future__ import annotations

from gridctl.field.confirmation import READ_BACK_TIMEOUT_S
from gridctl.field.guard import PERMIT_LIFE_S
from gridctl.safeguards.register import Safeguard, Setting, Standing, fixed, limit

COMMANDING: tuple[Safeguard, ...] = (
    Safeguard(
        number=1,
        title="Select before operate",
        what="DNP3 controls go out as SELECT and OPERATE of the same object; anything in between, "
        "a status other than success, or time voids the select.",
        seen="command ladder: selected, operated",
        standing=Standing.IN_FORCE,
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
        standing=Standing.IN_FORCE,
        settings=(fixed("one read-back", f"{READ_BACK_TIMEOUT_S:g} s"),),
        tests=(
            "test_sg02_wrong_expected_point_is_refused",
            "test_sg02_wider_tolerance_than_the_points_file_is_refused",
        ),
    ),
    Safeguard(
        number=3,
        title="One command in flight a device",
        what="A second command to a device that is busy is refused by the field, which says who "
        "holds it, since when, and when it is free at the latest.",
        seen="refused order with the owner, alarm; links: the lock's owner; commands in flight",
        standing=Standing.IN_FORCE,
        left_out="a lock at look-ahead: a plan is bound to its snapshot and validated again at "
        "each release (SG-09, SG-14), so that two plans cannot meet at a device",
        settings=(fixed("held at most", f"{PERMIT_LIFE_S:g} s and [dispatch].confirm_timeout_s"),),
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
        standing=Standing.IN_FORCE,
        tests=(
            "test_sg04_each_rung_has_what_proves_the_one_below",
            "test_sg04_what_a_device_took_never_counts_as_failed",
            "test_sg04_the_table_is_the_only_word",
            "test_sg04_a_fault_in_dispatch_ends_the_plan_for_all_to_see",
        ),
    ),
    Safeguard(
        number=5,
        title="Limits enforced in the field",
        what="Range, step, pace, commands an hour and an area's budget are checked again by the "
        "field guard from OT's file; refused, never clipped.",
        seen="refused order with reason, alarm",
        standing=Standing.IN_FORCE,
        left_out="a ramp of its own: what moves at most step_max each interval_min_s has one; "
        "switch operations a day: no plan switches, and a point without limits is refused",
        settings=(
            Setting(
                name="[field].limits_public_key",
                default="none: the digest at both ends is compared",
                range="OT's key, which must have signed limits.toml",
            ),
            limit("min_value, max_value"),
            limit("step_max"),
            limit("interval_min_s"),
            limit("per_hour_max"),
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
            "test_sg05_limits_that_ot_has_not_signed_are_refused",
        ),
    ),
)
