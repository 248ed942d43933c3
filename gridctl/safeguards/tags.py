"""Tags and interlocks: SG-26, SG-27."""

from __future__ import annotations

from gridctl.safeguards.register import Safeguard, Setting, Standing

TAGS: tuple[Safeguard, ...] = (
    Safeguard(
        number=26,
        title="Tags",
        what="An inhibited point takes no command, enforced in the field.",
        seen="plan review: excluded, inhibited by OT",
        standing=Standing.IN_PART,
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
        standing=Standing.IN_PART,
        missing="maintenance state, opt-out, overrides by two persons",
        tests=(
            "test_sg27_device_on_local_is_refused",
            "test_sg27_device_with_a_fault_is_refused",
            "test_sg27_switch_that_is_not_known_is_refused",
        ),
    ),
)
