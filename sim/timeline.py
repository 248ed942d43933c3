"""A scenario's events as they fall due."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from sim.faults import FaultBoard
from sim.scenario import Event

log = logging.getLogger(__name__)


class Timeline:
    """Switches the faults of `events` on and off as grid time passes them."""

    def __init__(self, events: Sequence[Event]) -> None:
        turns: list[tuple[float, int, Event]] = [(e.at_s, 1, e) for e in events]
        turns += [(e.until_s, 0, e) for e in events if e.until_s is not None]
        # At the same moment what ends goes before what begins.
        self._turns = sorted(turns, key=lambda turn: (turn[0], turn[1]))
        self.done = 0
        """How many turns have passed."""

    @property
    def next_s(self) -> float | None:
        """Grid time of the next turn, None after the last one."""
        return self._turns[self.done][0] if self.done < len(self._turns) else None

    def due(self, now_s: float) -> Iterator[tuple[Event, bool]]:
        """The turns up to `now_s`, once each: the event, and whether it begins."""
        while self.done < len(self._turns) and self._turns[self.done][0] <= now_s:
            _, begins, event = self._turns[self.done]
            self.done += 1
            yield event, bool(begins)

    def skip(self, now_s: float) -> None:
        """Take the turns up to `now_s` as done: whoever goes on from a state has their effects."""
        for _ in self.due(now_s):
            continue

    def unfit(self, board: FaultBoard) -> Sequence[str]:
        """Why turns that are still to come cannot be switched here, in their order."""
        events = (event for _, begins, event in self._turns[self.done :] if begins)
        refusals = (board.refusal(e.fault, target=e.target, amount=e.amount) for e in events)
        return [reason for refusal in refusals if refusal is not None for reason in refusal.reasons]

    async def play(self, now_s: float, board: FaultBoard) -> None:
        """Switch what is due. A target that this pilot does not have is logged, and passed over."""
        for event, begins in self.due(now_s):
            refusal = await board.switch(
                event.fault, on=begins, target=event.target, amount=event.amount
            )
            if refusal is not None:
                log.error("scenario: %s", refusal)
