"""What a driver has learned of its device, kept over reconnections."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field

from protocols.dnp3.values import Reading
from protocols.traffic import Traffic

log = logging.getLogger(__name__)

WORDS_MAX = 16


@dataclass(slots=True)
class Knowledge:
    """`decoder_fault`: None before the self-test, "" when it passed, else why the stack's values
    are used. `unreadable`: objects that are in no table, by name."""

    traffic: Traffic
    tls_context: ssl.SSLContext | None = None
    decoder_fault: str | None = None
    ignores_disable: bool = False
    events: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    commanded: dict[str, int] = field(default_factory=dict)

    @property
    def boxed(self) -> bool:
        """Whether values come boxed by the stack."""
        return bool(self.decoder_fault)

    def note(self, reading: Reading) -> None:
        """Remember, and log once, what could not be read, and what others commanded."""
        self.events += reading.events
        if reading.undecoded:
            self._count(self.unreadable, reading.undecoded, "cannot be read; the rest is kept")
        for text in reading.commanded:
            self._count(self.commanded, text, "reported: somebody operated an output")

    def _count(self, seen: dict[str, int], text: str, why: str) -> None:
        if text not in seen:
            if len(seen) >= WORDS_MAX:
                return
            log.warning("%s: %s", text, why)
        seen[text] = seen.get(text, 0) + 1
