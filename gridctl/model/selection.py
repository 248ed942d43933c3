"""Select before operate: the one safeguard idea of the whole program.

DNP3 accepts an OPERATE only if it names the same object as the SELECT, comes next in sequence,
with nothing in between, and not too late (IEEE 1815-2012 §4.4.3). The same rule holds for an
operator's approval of a plan and for an order on the link.
"""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.model.errors import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What was selected: the digest of the object, by whom, with which sequence number, when."""

    digest: str
    by: str
    sequence: int
    at_s: float


class Selection:
    """At most one selection at a time; each rule is judged in the standard's order."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._selected: Selected | None = None

    def select(self, *, digest: str, by: str, sequence: int, at_s: float) -> None:
        """Remember the selection; a newer one replaces an older one."""
        self._selected = Selected(digest=digest, by=by, sequence=sequence, at_s=at_s)

    def clear(self) -> None:
        """Anything that happens in between voids the selection."""
        self._selected = None

    def operate(self, *, digest: str, by: str, sequence: int, at_s: float) -> Refusal | None:
        """None when the operate matches the selection, else why not. Consumes the selection."""
        chosen, self._selected = self._selected, None
        if chosen is None:
            return Refusal(code="no_select", reasons=("nothing is selected",))
        if sequence != chosen.sequence + 1:
            return Refusal(
                code="out_of_sequence",
                reasons=(f"sequence {sequence} does not follow {chosen.sequence}",),
            )
        if by != chosen.by:
            return Refusal(code="other_master", reasons=(f"{chosen.by} holds the selection",))
        if digest != chosen.digest:
            return Refusal(code="object_changed", reasons=("the object is not the selected one",))
        if at_s - chosen.at_s > self._timeout_s:
            return Refusal(
                code="select_timeout",
                reasons=(
                    f"selected {at_s - chosen.at_s:.1f} s ago, {self._timeout_s:g} s allowed",
                ),
            )
        return None
