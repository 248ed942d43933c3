"""Passwords that others have lost: a look into a list on this host; nothing leaves it.

The list is one that the operator has fetched: SHA-1 in hexadecimal, in order, one a line, with or
without `:count` behind it. It is searched by halves where it lies, so that it may
be of any size.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from gridctl.model.errors import ConfigError

_DIGEST_CHARS = 40
_LINE_MAX = 128


class BreachedList:
    """One file. Raises ConfigError when it cannot be read or is no such list."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with file.open("rb") as stream:
                first = stream.readline(_LINE_MAX)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
        if not _is_digest(first[:_DIGEST_CHARS]):
            raise ConfigError(
                "does not begin with a SHA-1 in hexadecimal",
                file=str(file),
                hint="one digest a line, in order, with or without :count",
            )

    def knows(self, password: str) -> bool:
        """Whether the password is in the list."""
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        with self._file.open("rb") as stream:
            low, high = 0, stream.seek(0, 2)
            # The first line that begins at or behind `low` … `high` is the one looked for.
            while low < high:
                middle = (low + high) // 2
                line = _line_behind(stream, middle)
                if not line or line[:_DIGEST_CHARS].upper() >= wanted:
                    high = middle
                else:
                    low = middle + 1
            return _line_behind(stream, low)[:_DIGEST_CHARS].upper() == wanted


def _line_behind(stream: IO[bytes], offset: int) -> bytes:
    """The first whole line that begins at `offset` or later; empty at the end."""
    if offset > 0:
        stream.seek(offset - 1)
        stream.readline(_LINE_MAX)
    else:
        stream.seek(0)
    return stream.readline(_LINE_MAX)


def _is_digest(text: bytes) -> bool:
    return len(text) == _DIGEST_CHARS and all(c in b"0123456789abcdefABCDEF" for c in text)
