"""A no is taken for an answer, for a while, of a device and of a whole link; a yes ends it."""

from __future__ import annotations

import pytest

from gridctl.control.distrust import REST_S, Distrust
from gridctl.model.command import CommandState

T0 = 1_786_000_000.0
LINKS = {"LG01.SP": "DR", "LG02.SP": "DR", "LG03.SP": "DR", "BESS01.SP": "DER"}
ALL = tuple((point.split(".")[0], point) for point in LINKS)


def book() -> Distrust:
    return Distrust(utc_offset_s=0.0, link_of=LINKS.get)


def told(one: Distrust, resource: str, state: CommandState, status: str, at_s: float = T0) -> None:
    one.note(resource, f"{resource}.SP", state, status, at_s)


def test_sg19_a_device_that_refused_rests_and_the_others_do_not() -> None:
    one = book()
    told(one, "LG01", CommandState.FAILED, "LOCAL")
    found = one.not_now(T0 + REST_S - 1.0, ALL)
    assert list(found) == ["LG01"]
    assert "refused its last command (LOCAL)" in found["LG01"]
    assert one.not_now(T0 + REST_S, ALL) == {}


def test_a_device_that_did_not_follow_rests_until_it_is_seen_to_follow() -> None:
    one = book()
    told(one, "BESS01", CommandState.ACCEPTED, "SUCCESS")
    told(one, "BESS01", CommandState.UNCONFIRMED, "SUCCESS")
    assert "did not follow" in one.not_now(T0, ALL)["BESS01"]
    told(one, "BESS01", CommandState.CONFIRMED, "SUCCESS")
    assert one.not_now(T0, ALL) == {}


def test_sg19_refusals_in_a_row_are_the_links_word() -> None:
    one = book()
    told(one, "LG01", CommandState.FAILED, "NOT_SUPPORTED")
    told(one, "LG02", CommandState.FAILED, "NOT_SUPPORTED", T0 + 60.0)
    found = one.not_now(T0 + 60.0, ALL)
    assert sorted(found) == ["LG01", "LG02", "LG03"]
    assert "link DR refuses commands (LG01, LG02 in a row)" in found["LG03"]
    assert list(one.links(T0 + 60.0)) == ["DR"]
    assert one.links(T0 + 60.0 + REST_S) == {}


def test_a_link_that_still_refuses_after_its_rest_needs_no_second_device_to_say_so() -> None:
    one = book()
    told(one, "LG01", CommandState.FAILED, "LOCAL")
    told(one, "LG02", CommandState.FAILED, "LOCAL")
    told(one, "LG03", CommandState.FAILED, "LOCAL", T0 + REST_S + 1.0)
    assert list(one.links(T0 + REST_S + 1.0)) == ["DR"]


def test_one_yes_frees_the_link_but_not_who_refused() -> None:
    one = book()
    told(one, "LG01", CommandState.FAILED, "LOCAL")
    told(one, "LG02", CommandState.FAILED, "LOCAL")
    told(one, "LG03", CommandState.ACCEPTED, "SUCCESS")
    assert sorted(one.not_now(T0, ALL)) == ["LG01", "LG02"]
    assert one.links(T0) == {}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (CommandState.FAILED, "STOPPED"),
        (CommandState.FAILED, "TAGGED"),
        (CommandState.FAILED, "LINK_DOWN"),
        (CommandState.EXPIRED, "TOO_LATE"),
        (CommandState.REFUSED, "budget"),
        (CommandState.UNCONFIRMED, "NO_EFFECT"),
        (CommandState.UNCONFIRMED, "RESTART"),
        (CommandState.RELEASED, "LEASE_OVER"),
    ],
)
def test_what_is_not_the_devices_word_is_not_held_against_it(
    state: CommandState, status: str
) -> None:
    one = book()
    told(one, "LG01", state, status)
    assert one.not_now(T0, ALL) == {}
