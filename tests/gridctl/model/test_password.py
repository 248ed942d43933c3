"""SG-33: what a password must be, by profile."""

from __future__ import annotations

import pytest

from gridctl.model.password import PasswordProfile, password_faults

ASVS, IEEE, CIP = PasswordProfile.ASVS, PasswordProfile.IEEE1686, PasswordProfile.CIP007


def faults(password: str, profile: PasswordProfile = ASVS) -> str:
    return "; ".join(
        password_faults(password, profile=profile, user="grete", full_name="Grete Hansen")
    )


@pytest.mark.parametrize("password", ["river stone", "grün ßöä" * 30, "no rules here at all"])
def test_sg33_length_and_no_composition_rules(password: str) -> None:
    assert faults(password) == ""


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short1!", "8 to 256"),
        ("x1y2z3w4" * 40, "8 to 256"),
        ("aaaaaaaaab", "different characters"),
        ("xxGRETExx99", "your name"),
        ("hansen is tall", "your name"),
        ("qwertyuiop", "keyboard"),
        ("abcdefghij", "alphabet"),
        ("9876543210", "alphabet"),
    ],
)
def test_sg33_what_is_guessed_first_is_refused(password: str, why: str) -> None:
    assert why in faults(password)


def test_sg33_profiles_of_those_who_must() -> None:
    assert "4 of small letters" in faults("river stones", IEEE)
    assert "9 to" in faults("Rv4 stne"[:8], IEEE)
    assert faults("River stone 4", IEEE) == ""
    assert "3 of small letters" in faults("riverstones", CIP)
    assert faults("Riverstone4", CIP) == ""
