"""Whether STOP holds, from wherever it came: the desk, the stop file, or the field."""

from __future__ import annotations

from pathlib import Path


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
    def stopped(self) -> bool:
        """Whether anything holds STOP now."""
        return bool(self._held) or self.file_present

    @property
    def reason(self) -> str:
        """Why, as far as it was said."""
        return self._held or ("the stop file is there" if self.file_present else "")

    def hold(self, reason: str) -> None:
        """STOP holds until it is released."""
        self._held = self._held or reason

    def release(self) -> None:
        """The field has resumed."""
        self._held = ""
