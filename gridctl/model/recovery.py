"""Recovery codes: for who has lost his generator or his key. Each is good once (SG-07).

3-7kq2m-x9d4p      number of the code, then fifty random bits
"""

from __future__ import annotations

import re
import secrets

CODES = 8
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Nothing that looks like something else; 31 letters, 4.95 bits each."""
HALF_LENGTH = 5
_SHAPE = re.compile(
    rf"([1-{CODES}])-?([{ALPHABET}]{{{HALF_LENGTH}}})-?([{ALPHABET}]{{{HALF_LENGTH}}})"
)


def new_codes() -> tuple[str, ...]:
    """A set of them, to be shown once."""
    return tuple(f"{number}-{_half()}-{_half()}" for number in range(1, CODES + 1))


def _half() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(HALF_LENGTH))


def parsed(typed: str) -> tuple[int, str] | None:
    """(number, the whole code as it was shown), however it was typed; None: it is none."""
    found = _SHAPE.fullmatch("".join(typed.split()).lower())
    if found is None:
        return None
    number, first, second = found.groups()
    return int(number), f"{number}-{first}-{second}"
