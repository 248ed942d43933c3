"""Execution: SG-17 … SG-25."""

from __future__ import annotations

from gridctl.config import DispatchTable
from gridctl.control.batches import BATCH_SHARE
from gridctl.control.effect import KEPT_SHARE_MAX, KEPT_SHARE_MIN
from gridctl.control.releasegate import FAILED_SHARE_MAX
from gridctl.field.deadman import STOP_POLL_S
from gridctl.model.order import COMMANDS_PER_ORDER_MAX
from gridctl.safeguards.register import Safeguard, Setting, Standing, fixed, key_of, limit

EXECUTION: tuple[Safeguard, ...] = (
    Safeguard(
        number=17,
        title="Canary, then batches",
        what="The smallest device goes alone and first; then batches, each settling before the "
        "next; too many failures or a crossed limit stop the plan.",
        seen="commands: batch order; plan: stopped, with the reason",
        standing=Standing.IN_FORCE,
        settings=(
            fixed("batch, share of the kW", f"{BATCH_SHARE:.0%}"),
            fixed("failures allowed", f"{FAILED_SHARE_MAX:.0%}"),
            fixed("commands an order", f"{COMMANDS_PER_ORDER_MAX}"),
            key_of(DispatchTable, "[dispatch]", "batch_settle_s", "grid s"),
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
        standing=Standing.IN_FORCE,
        left_out="time-outs by class of device: the field waits for the slowest class that it has, "
        "a few seconds more for the others; nothing is sent meanwhile that hangs on it",
        settings=(
            key_of(DispatchTable, "[dispatch]", "confirm_timeout_s", "s"),
            key_of(DispatchTable, "[dispatch]", "effect_settle_s", "grid s"),
            key_of(DispatchTable, "[dispatch]", "effect_watch_s", "grid s"),
            fixed("kept", f"{KEPT_SHARE_MIN:.0%} … {KEPT_SHARE_MAX:.0%} of the promise"),
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
        what="There is no retry at all: an open outcome is settled by reading the device. Whoever "
        "refused a command, or did not follow it, is left out of plans for half an hour; so is "
        "every device of a link of which several refused in a row.",
        seen="commands: not known; plan review: left out; alarm of a link that refuses",
        standing=Standing.IN_FORCE,
        tests=(
            "test_sg19_command_that_was_let_through_before_is_refused",
            "test_sg19_kill_9_at_every_point",
            "test_sg18_sg19_what_the_wire_leaves_open_is_looked_up_and_never_sent_again",
            "test_sg19_a_device_that_refused_rests_and_the_others_do_not",
            "test_sg19_refusals_in_a_row_are_the_links_word",
        ),
    ),
    Safeguard(
        number=20,
        title="Policy for partial failure",
        what="Hold, continue or roll back is written into the plan and covered by its digest "
        "before anybody approves it. Hold: nothing more is ordered, leases run out. Continue: the "
        "others are ordered. Roll back: what is held goes back to OT's defaults at once, the same "
        "way.",
        seen="plan review: if commands fail; the plan's reason",
        standing=Standing.IN_FORCE,
        settings=(
            Setting(
                name="[dispatch].on_failure", default="hold", range="hold, continue, roll back"
            ),
        ),
        tests=(
            "test_sg20_hold_orders_nothing_more_and_leaves_the_leases",
            "test_sg20_roll_back_returns_what_is_held_at_once",
            "test_sg20_continue_orders_the_others_and_sg19_tries_nothing_twice",
            "test_sg20_the_policy_is_in_the_digest",
        ),
    ),
    Safeguard(
        number=21,
        title="STOP",
        what="On every screen, by key, from the terminal and by a file that the field polls; "
        "nothing leaves any more, selected is not operated. Return to default is a second act.",
        seen="every screen; banner; alarm",
        standing=Standing.IN_FORCE,
        settings=(fixed("the stop file is looked at every", f"{STOP_POLL_S:g} s"),),
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
        standing=Standing.IN_FORCE,
        settings=(limit("lease_max_s"), limit("default_value")),
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
        standing=Standing.IN_FORCE,
        left_out="a heartbeat that we write and the device reverts by: each setpoint has a lease "
        "(SG-22), which ends the same way without a point that every device would have to have",
        tests=(
            "test_sg23_frozen_device_turns_stale_and_takes_no_command",
            "test_sg23_a_frozen_heartbeat_makes_the_whole_link_stale_however_much_it_talks",
        ),
    ),
    Safeguard(
        number=24,
        title="Bumpless transfer",
        what="Nothing is written when a mode, a shift or an office changes: what was confirmed "
        "stays until its lease ends. The way back to the default is in steps of at most step_max, "
        "interval_min_s apart, each confirmed; where nobody knows what a device holds, the default "
        "is written at once.",
        seen="commands: released; leases; value of the device",
        standing=Standing.IN_FORCE,
        tests=(
            "test_sg24_the_way_back_to_the_default_is_in_ots_steps",
            "test_sg24_a_device_comes_back_in_the_steps_that_ot_allows",
        ),
    ),
    Safeguard(
        number=25,
        title="One master",
        what="Orders carry an epoch and a sequence; replays and older epochs are refused. A device "
        "that heeds another master is an alarm of its own.",
        seen="refused order, alarm",
        standing=Standing.IN_FORCE,
        left_out="a fencing lease for a standby, too early: there is no standby. One office runs; "
        "a second one is kept out by the lock of the database, and its orders by the epoch",
        tests=(
            "test_sg25_replayed_order_is_refused",
            "test_sg25_another_master_is_an_alarm",
            "test_sg25_order_of_an_older_epoch_is_refused",
            "test_sg25_replay_is_refused_after_a_restart_too",
        ),
    ),
)
