"""Leave to move one point, once. Only `gridctl.field.guard` mints it, only drivers take it.

import-linter allows this module to `gridctl.field.guard` and `protocols` alone; the constructor
asks for a token that only `mint` has, so a Permit cannot be written down by accident.
"""

from __future__ import annotations

from typing import Final, final

from gridctl.model.command import Command

_TOKEN: Final = object()


@final
class Permit:
    """The right to send exactly `command` until `expires_mono_s`, one time."""

    __slots__ = ("_used", "command", "expires_mono_s", "order")

    def __init__(
        self, token: object, *, command: Command, order: str, expires_mono_s: float
    ) -> None:
        if token is not _TOKEN:
            raise PermissionError("a Permit is minted by the field guard, never constructed")
        self.command = command
        self.order = order
        self.expires_mono_s = expires_mono_s
        self._used = False

    def use(self, mono_s: float) -> str | None:
        """Take the permit: None when it holds, else the reason it does not. Works once."""
        if self._used:
            return "permit already used"
        self._used = True
        if mono_s > self.expires_mono_s:
            return f"permit expired {mono_s - self.expires_mono_s:.1f} s ago"
        return None


def mint(*, command: Command, order: str, expires_mono_s: float) -> Permit:
    """A new permit. Called by the field guard after every check has passed, nowhere else."""
    return Permit(_TOKEN, command=command, order=order, expires_mono_s=expires_mono_s)
