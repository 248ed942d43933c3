"""Tags at the last line: nothing is written to a tagged device, whoever asks (SG-26)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.field.guard import Admission
from gridctl.field.spool import Lease
from gridctl.model.errors import Refusal
from gridctl.model.order import Order, OrderKind
from gridctl.model.permit import Permit
from gridctl.model.tag import Tag, TagKind
from tests.gridctl.field.test_guard import NOW_S, Bench

INHIBIT = Tag(
    id="T-1",
    kind=TagKind.CONTROL_INHIBIT,
    device="LG1",
    point="LG1.ShedSpt",
    by="anne",
    at_s=NOW_S,
    reason="a fitter works on the contactor",
    work_order="W-17",
    until_s=None,
)
LEASE = Lease(
    command="C-1", order="O-1", point="LG1.ShedSpt", value=40.0, default_value=0.0, until_s=NOW_S
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def order(bench: Bench, kind: OrderKind, tag: Tag | None, number: int, *by: str) -> Order:
    asked = bench.order(kind=kind, sequence=number, approved_by=by, plan="", plan_digest="")
    return replace(asked, commands=(), tag=tag)


def hang(bench: Bench, tag: Tag = INHIBIT, number: int = 1) -> None:
    assert isinstance(bench.admit(order(bench, OrderKind.TAG, tag, number, tag.by)), Admission)


def test_sg26_a_tagged_device_is_refused_with_the_tags_words_even_after_a_restart(
    bench: Bench,
) -> None:
    hang(bench)
    bench.restart()
    no = bench.refused(bench.order(sequence=2))
    assert no.code == "tagged"
    assert "control inhibit by anne, work order W-17: a fitter works" in str(no)
    assert isinstance(bench.admit(bench.order(bench.command("LG2"), sequence=3)), Admission)


def test_sg26_blocked_until_the_last_blocking_tag_is_gone(bench: Bench) -> None:
    hang(bench)
    hang(bench, replace(INHIBIT, id="T-2", kind=TagKind.CONTROL_AUTHORITY, by="bert"), 2)
    bench.admitted(order(bench, OrderKind.UNTAG, INHIBIT, 3, "anne"))
    assert bench.refused(bench.order(sequence=4)).code == "tagged"
    last = replace(INHIBIT, id="T-2")
    bench.admitted(order(bench, OrderKind.UNTAG, last, 5, "bert"))
    bench.admitted(bench.order(sequence=6))


def test_sg26_the_field_asks_for_the_owner_or_two_persons_again(bench: Bench) -> None:
    hang(bench)
    for number, persons in enumerate(((), ("bert",), ("bert", "bert"), ("", "bert")), 2):
        no = bench.refused(order(bench, OrderKind.UNTAG, INHIBIT, number, *persons))
        assert no.code == "not_owner"
    stolen = replace(INHIBIT, by="bert")
    no = bench.refused(order(bench, OrderKind.UNTAG, stolen, 8, "bert"))
    assert no.code == "not_owner", "whose it is, is what the field remembers"
    bench.admitted(order(bench, OrderKind.UNTAG, INHIBIT, 9, "bert", "carl"))
    bench.admitted(order(bench, OrderKind.UNTAG, INHIBIT, 10, "bert", "carl"))
    bench.admitted(bench.order(sequence=11))


def test_sg26_a_tag_is_hung_while_stop_holds_and_with_a_doubtful_clock(bench: Bench) -> None:
    bench.plant.stopped = True
    bench.plant.clock_fault = "the clock was set back"
    hang(bench)
    assert [t.id for t in bench.guard.tags_on("LG1.ShedSpt")] == ["T-1"]


def test_sg26_not_even_the_default_is_written_where_somebody_works(bench: Bench) -> None:
    assert isinstance(bench.guard.permit_default(LEASE), Permit)
    hang(bench, replace(INHIBIT, kind=TagKind.CONTROL_AUTHORITY))
    assert isinstance(bench.guard.permit_default(LEASE), Permit)
    hang(bench, replace(INHIBIT, id="T-2"), 2)
    no = bench.guard.permit_default(LEASE)
    assert isinstance(no, Refusal)
    assert no.code == "tagged"


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        (None, "no_tag"),
        (replace(INHIBIT, point="XX.ShedSpt"), "no_limit"),
        (replace(INHIBIT, kind=TagKind.CAUTION), "no_block"),
    ],
)
def test_what_is_no_tag_of_the_field_is_refused(bench: Bench, tag: Tag | None, code: str) -> None:
    assert bench.refused(order(bench, OrderKind.TAG, tag, 1, "anne")).code == code


def test_sg25_a_replayed_untag_takes_nothing_away(bench: Bench) -> None:
    hang(bench, number=1)
    gone = order(bench, OrderKind.UNTAG, INHIBIT, 2, "anne")
    bench.admitted(gone)
    hang(bench, number=3)
    assert bench.refused(gone).code == "replayed"
    assert bench.guard.tags_on("LG1.ShedSpt")
