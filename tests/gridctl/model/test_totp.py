"""TOTP against the vectors of RFC 6238, appendix B; each code once; a drift of one step."""

from __future__ import annotations

import pytest

from gridctl.model.totp import code_of, matching_step, shown, step_at, uri_of

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_the_vectors_of_the_standard(at_s: int, code: str) -> None:
    assert code_of(SECRET, step_at(at_s), digits=8) == code


def test_sg07_a_code_of_the_neighbouring_steps_is_taken_and_no_other() -> None:
    now_s = 1_234_567_890.0
    step = step_at(now_s)
    for other in range(step - 3, step + 4):
        found = matching_step(SECRET, code_of(SECRET, other), now_s=now_s, last_step=None)
        assert found == (other if abs(other - step) <= 1 else None)


def test_sg07_a_used_code_and_all_before_it_are_refused() -> None:
    now_s = 1_234_567_890.0
    step = step_at(now_s)
    code, before = code_of(SECRET, step), code_of(SECRET, step - 1)
    assert matching_step(SECRET, code, now_s=now_s, last_step=step - 1) == step
    assert matching_step(SECRET, code, now_s=now_s, last_step=step) is None
    assert matching_step(SECRET, before, now_s=now_s, last_step=step) is None


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "1234567", "𝟏𝟐𝟑𝟒𝟓𝟔"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert matching_step(SECRET, typed, now_s=59.0, last_step=None) is None


def test_spaces_as_apps_show_them_do_not_matter() -> None:
    code = code_of(SECRET, 1)
    assert matching_step(SECRET, f"{code[:3]} {code[3:]}", now_s=59.0, last_step=None) == 1


def test_the_address_for_an_app() -> None:
    uri = uri_of(SECRET, user="anna b", issuer="Site & Co")
    assert uri.startswith("otpauth://totp/Site%20%26%20Co%3Aanna%20b?")
    assert f"secret={shown(SECRET)}" in uri
    assert "issuer=Site%20%26%20Co" in uri
