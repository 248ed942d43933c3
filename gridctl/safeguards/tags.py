"""Tags and interlocks: SG-26, SG-27."""

from __future__ import annotations

from gridctl.control.approvals import REASON_MIN
from gridctl.control.tags import REMOVAL_LIFE_S
from gridctl.model.tag import REASON_CHARS_MAX
from gridctl.safeguards.register import Safeguard, Setting, Standing, fixed

TAGS: tuple[Safeguard, ...] = (
    Safeguard(
        number=26,
        title="Tags",
        what="Control inhibit (nothing is written, not even the default), control authority (no "
        "plan uses it) and caution (who approves ticks that it was read) hang on devices, many on "
        "one, with owner, reason, work order and end. Planning, approval and dispatch heed them, "
        "and the field again, from its own disk; a plan that runs ends. The owner removes a tag, "
        "else two persons, one of them a supervisor; a blocking tag never goes by itself. OT's "
        "own list of inhibited points stays.",
        seen="one-line and table of devices: symbol; tags; plan review: excluded, with the tag; "
        "handover; `gridctl tag`",
        standing=Standing.IN_FORCE,
        left_out="alarm inhibit: an alarm is put aside for a time, by a person, and comes back by "
        "itself (SG-28), and a tag would hide it without an end; scan inhibit: a point that is not "
        "to be believed goes out of the points file, by a reload, and until then its quality says "
        "so and blocks (SG-12)",
        settings=(
            Setting(name="limits.toml: inhibited", default="none: must be given", range="points"),
            fixed("reason", f"{REASON_MIN} … {REASON_CHARS_MAX} characters"),
            fixed("a removal that is asked for waits", f"{REMOVAL_LIFE_S / 3600:g} h"),
        ),
        tests=(
            "test_sg26_a_tagged_device_is_refused_with_the_tags_words_even_after_a_restart",
            "test_sg26_blocked_until_the_last_blocking_tag_is_gone",
            "test_sg26_the_field_asks_for_the_owner_or_two_persons_again",
            "test_sg26_not_even_the_default_is_written_where_somebody_works",
            "test_sg26_a_tagged_device_is_left_out_shown_and_audited",
            "test_sg26_a_tag_placed_after_the_plan_blocks_its_approval",
            "test_sg26_a_tag_ends_the_plan_that_runs_and_nothing_more_leaves",
            "test_sg06_sg26_anothers_tag_needs_two_persons_and_a_supervisor",
            "test_sg26_what_one_side_forgets_the_other_hangs_up_again",
            "test_sg26_a_caution_is_read_before_the_plan_is_approved",
            "test_sg26_a_caution_ends_by_itself_and_a_blocking_tag_never",
            "test_sg26_a_tag_is_placed_seen_and_removed_by_two_others",
            "test_sg26_inhibited_point_is_refused",
            "test_sg26_default_of_an_inhibited_point_is_not_written",
        ),
    ),
    Safeguard(
        number=27,
        title="Interlocks",
        what="Local switch, fault, dead link, unknown state: no command. State of charge and rest "
        "times are constraints of the plan, and so are opt-outs. Maintenance is a tag (SG-26).",
        seen="plan review: excluded, with the reason",
        standing=Standing.IN_FORCE,
        left_out="overrides by two persons: no interlock can be overridden at all. Who must move "
        "a device against one does it at the device, on local, by a step of SG-36",
        tests=(
            "test_sg27_device_on_local_is_refused",
            "test_sg27_device_with_a_fault_is_refused",
            "test_sg27_switch_that_is_not_known_is_refused",
            "test_sg27_who_opts_out_is_in_no_plan_and_the_plan_says_why",
        ),
    ),
)
