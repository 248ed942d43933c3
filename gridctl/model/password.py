"""What a password must be (SG-33): three profiles, and rules that no profile waives."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum

LONGEST = 256
DISTINCT_MIN = 5
NAME_PART_MIN = 4


class PasswordProfile(StrEnum):
    """Where the rules come from. ASVS: length and no composition rules (OWASP ASVS 5, 6.2);
    IEEE1686 and CIP007: for utilities that must."""

    ASVS = "asvs"
    IEEE1686 = "ieee1686"
    CIP007 = "cip007"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """`classes_min`: of small letters, capitals, digits and others."""

    length_min: int
    classes_min: int


RULES = {
    PasswordProfile.ASVS: PasswordRules(length_min=8, classes_min=0),
    PasswordProfile.IEEE1686: PasswordRules(length_min=9, classes_min=4),
    PasswordProfile.CIP007: PasswordRules(length_min=8, classes_min=3),
}


def password_faults(
    password: str, *, profile: PasswordProfile, user: str, full_name: str
) -> tuple[str, ...]:
    """What is wrong with a password that a person has chosen; empty: nothing."""
    rules = RULES[profile]
    faults = []
    if not rules.length_min <= len(password) <= LONGEST:
        faults.append(f"a password has {rules.length_min} to {LONGEST} characters")
    if _classes(password) < rules.classes_min:
        faults.append(
            f"{rules.classes_min} of small letters, capitals, digits and others must be in it "
            f"(profile {profile})"
        )
    if len(set(password)) < DISTINCT_MIN:
        faults.append(f"it has fewer than {DISTINCT_MIN} different characters")
    small = password.casefold()
    parts = [user, *full_name.split()]
    if any(len(part) >= NAME_PART_MIN and part.casefold() in small for part in parts):
        faults.append("your name is in it")
    if _is_run(small):
        faults.append("its characters follow one another in the alphabet or on the keyboard")
    return tuple(faults)


def _classes(password: str) -> int:
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    return sum(any(kind(c) for c in password) for kind in kinds)


_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


def _is_run(small: str) -> bool:
    """Whether most neighbours in it are neighbours in a row too, either way."""
    if len(small) < 2:  # noqa: PLR2004 - a pair
        return False
    pairs = {a + b for row in _ROWS for a, b in itertools.pairwise(row)}
    pairs |= {pair[::-1] for pair in pairs}
    found = sum(a + b in pairs for a, b in itertools.pairwise(small))
    return found > 0.6 * (len(small) - 1)
