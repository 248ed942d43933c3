"""Gates of data and model: SG-12 … SG-16."""

from __future__ import annotations

from gridctl.config import DispatchTable
from gridctl.config_policy import PolicyTable
from gridctl.control.interlock import GOOD_SHARE_MIN
from gridctl.model.staleness import STALE_MIN_S, STALE_SCANS
from gridctl.safeguards.register import Safeguard, Setting, Standing, fixed, key_of

GATES: tuple[Safeguard, ...] = (
    Safeguard(
        number=12,
        title="Good data or no dispatch",
        what="Stale points, dead links, a bad head measurement, too few good points or a clock "
        "that is off block approval and release.",
        seen="overview and review: the reasons; alarm",
        standing=Standing.IN_FORCE,
        settings=(
            fixed("stale after", f"max({STALE_SCANS} scans, {STALE_MIN_S:g} s)"),
            fixed("good points needed", f"{GOOD_SHARE_MIN:.0%}"),
            key_of(DispatchTable, "[dispatch]", "clock_offset_max_s", "s"),
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
        standing=Standing.IN_FORCE,
        settings=(fixed("stale after", "3 s"),),
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
        standing=Standing.IN_FORCE,
        left_out="an AC power flow of the rest of the plan before each batch: the flow that was "
        "approved holds for the feeder within these bounds of head and voltage, a measured voltage "
        "outside its limits stops the plan (SG-17), and a solver between two batches could only "
        "hold back what heals",
        settings=(
            key_of(DispatchTable, "[dispatch]", "drift_head_pct", "%"),
            key_of(DispatchTable, "[dispatch]", "drift_head_kw", "kW"),
            key_of(DispatchTable, "[dispatch]", "drift_voltage_pu", "pu"),
        ),
        tests=("test_sg14_plan_is_void_when_the_feeder_has_moved_away",),
    ),
    Safeguard(
        number=15,
        title="AC check before a proposal",
        what="A plan without a converged power flow before and after, or with a failed check, is "
        "not proposed.",
        seen="plan review: AC check",
        standing=Standing.IN_FORCE,
        tests=("test_sg15_what_is_not_verified_is_not_proposed",),
    ),
    Safeguard(
        number=16,
        title="Violations that are there already",
        what="For voltages and for loadings apart: a violation that is there is healed (hard), or "
        "not made worse, or may be made worse; then every plan needs two persons. Not worse is a "
        "figure: by how much taps that answer a plan may take a place further that is beyond its "
        "limit already, 0 unless it is set (then two persons, too), told on every plan that uses "
        "it. A plan that makes a new one fails its check.",
        seen="plan review: AC check, approvals",
        standing=Standing.IN_FORCE,
        settings=(
            Setting(
                name="[policy].existing_voltage",
                default=PolicyTable.model_fields["existing_voltage"].default,
                range="hard, not_worse, may_worsen",
            ),
            Setting(
                name="[policy].existing_loading",
                default=PolicyTable.model_fields["existing_loading"].default,
                range="hard, not_worse, may_worsen",
            ),
            Setting(
                name="[policy].existing_worse_pu",
                default=f"{PolicyTable.model_fields['existing_worse_pu'].default:g} pu",
                range="0 … 0.01 pu",
            ),
            Setting(
                name="[policy].existing_worse_pct",
                default=f"{PolicyTable.model_fields['existing_worse_pct'].default:g} %",
                range="0 … 5 %",
            ),
        ),
        tests=(
            "test_sg16_a_plan_that_breaks_a_voltage_fails_and_names_the_place",
            "test_sg06_sg16_a_share_of_the_head_or_leave_to_worsen_needs_two_persons",
        ),
    ),
)
