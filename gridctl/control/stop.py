"""Whether STOP holds, from wherever it came: the desk, the stop file, or the field."""

from __future__ import annotations

from pathlib import Path

REASON_CHARS_MAX = 200


class StopState:
    """STOP at the office. Only `release` ends what the desk or the field has begun."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held = ""

    @property
    def file_present(self) -> bool:
        """Whether the stop file is there; a folder that cannot be looked into counts as STOP."""
        try:
            return self._file.exists()
        except OSError:
            return True

    @property
    def held(self) -> bool:
        """Whether the desk or the field has begun it, or the last office was stopped."""
        return bool(self._held)

    @property
    def stopped(self) -> bool:
        """Whether anything holds STOP now."""
        return bool(self._held) or self.file_present

    @property
    def reason(self) -> str:
        """Why, as far as it was said; the stop file says what `gridctl stop` was told."""
        if self._held or not self.file_present:
            return self._held
        try:
            with self._file.open(encoding="utf-8", errors="replace") as text:
                said = text.readline(REASON_CHARS_MAX).strip()
        except OSError:
            said = ""
        return f"the stop file is there: {said}" if said else "the stop file is there"

    def hold(self, reason: str) -> None:
        """STOP holds until it is released."""
        self._held = self._held or reason

    def release(self) -> None:
        """The field has resumed."""
        self._held = ""
