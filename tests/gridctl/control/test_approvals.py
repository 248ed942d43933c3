"""No path leads to a released plan without the approvals that it needs (SG-06 … SG-09, SG-21).

A machine that proposes, approves, rejects, waits, stops and releases as it likes, on a real store;
what comes out for dispatch is held against what the rules say, counted by a book of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gridctl.control.approvals import Approvals
from gridctl.control.planrecord import OpenPlan
from gridctl.control.ports import Person
from gridctl.model.approval import ApprovalPolicy, Standing
from gridctl.model.clock import ManualClock
from gridctl.model.envelope import Cause, Envelope, Promotion
from gridctl.model.errors import RefusedError
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import PlanState
from gridctl.model.planning import Forecast, Horizon
from gridctl.model.program import RequestState
from gridctl.store.engine import SqlStore, open_store, temporary_store
from tests.gridctl.store import postgres
from tests.gridctl.store.examples import T0, plan, request

LIFE_S = 100.0
LONG_STOOD = 400
SHORT_RELEASES, LONG_RELEASES = 5, 500
"""A walk that hardly releases anything has shown nothing."""
SHORT_WALKS = 5
"""So many, at most: one ends with 3 to 25 releases."""
POLICY = ApprovalPolicy(
    two_person_kw=200.0, two_person_customers=1_000, plan_life_s=LIFE_S, approval_life_s=LIFE_S
)
ROLES = {"anne": "OPERATOR", "bert": "SUPERVISOR", "eve": "VIEWER", "optimizer": "OPERATOR"}
SEATS = (
    ("anne", "s1"), ("bert", "s2"), ("anne", "s1"), ("bert", "s2"),
    ("bert", "s1"), ("eve", "s2"), ("optimizer", "s2"),
)  # fmt: skip
"""Who sits where: mostly two persons at two desks."""
PEOPLE = st.sampled_from(
    [Person(user=n, session=s, source="127.0.0.1", role=ROLES[n]) for n, s in SEATS]
)
TWO_PERSONS = tuple(
    Person(user=n, session=s, source="127.0.0.1", role=ROLES[n]) for n, s in SEATS[:2]
)
FORECAST = Forecast(
    horizon=Horizon(start_s=T0, step_s=900.0, count=1),
    quantiles=(0.5,),
    values_kw=((1.0,),),
    method="",
    history_days=0.0,
    nmae_pct=None,
)


ENVELOPE = Envelope(
    area="A1",
    max_kw=1_000.0,
    ramp_kw=1_000.0,
    devices=("LG01",),
    from_hour=0,
    to_hour=24,
    utc_offset_s=0.0,
    causes=(Cause.HEAD,),
    life_s=200.0,
)
PROMOTION = Promotion(
    envelope=ENVELOPE,
    asked_by="eve",
    approved_by=("anne", "bert"),
    sessions=("s1", "s2"),
    at_s=T0,
    limits_digest="",
    model_digest="",
)
PROMOTIONS = {
    "right": PROMOTION,
    "one person": replace(PROMOTION, approved_by=("anne",), sessions=("s1",)),
    "one session": replace(PROMOTION, sessions=("s1", "s1")),
    "by who proposes": replace(PROMOTION, approved_by=("anne", "optimizer")),
    "by who asked": replace(PROMOTION, asked_by="bert"),
    "too long": replace(PROMOTION, envelope=replace(ENVELOPE, life_s=43_201.0)),
}


@dataclass
class Book:
    """What the rules allow, kept beside the program."""

    digest: str
    needed: int
    until_s: float
    given: set[tuple[str, str]] = field(default_factory=set)
    over: bool = False
    standing: Promotion | None = None


class Approving(RuleBasedStateMachine):
    """One office on the store of the test; every machine goes on with new plans."""

    loop: asyncio.AbstractEventLoop
    store: SqlStore
    numbers: Iterator[int] = itertools.count()
    releases = 0
    stood = 0

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(grid_s=T0, mono_s=50.0)
        self.blocked: tuple[str, ...] = ()
        self.approvals = Approvals(
            store=self.store,
            clock=self.clock,
            policy=POLICY,
            blocked=lambda _: self.blocked,
            cautions=lambda _: (),
            inside=self.inside,
            over=self.over,
        )
        self.promotion: Promotion | None = None
        self.outside: tuple[str, ...] = ()
        self.books: dict[str, Book] = {}
        self.released: list[str] = []

    def inside(self, chosen: OpenPlan) -> Standing:
        promotions = () if self.promotion is None else (self.promotion,)
        return Standing(promotions=promotions, reasons=self.outside)

    def over(self, promotion: Promotion) -> tuple[str, ...]:
        if promotion != self.promotion:
            return ("it was taken back",)
        return tuple(promotion.over(self.clock.now_s()))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def name(self, data: st.DataObject) -> str:
        """Mostly one that is open."""
        return str(data.draw(st.sampled_from([*self.approvals.open, *self.books] or ["P-none"])))

    @initialize(net_kw=st.sampled_from((50.0, 900.0)))
    def first(self, net_kw: float) -> None:
        self.propose(net_kw)

    @rule(net_kw=st.sampled_from((50.0, 200.0, 900.0)))
    def another(self, net_kw: float) -> None:
        self.propose(net_kw)

    def propose(self, net_kw: float) -> None:
        one = replace(plan(f"P{next(self.numbers)}"), net_kw=net_kw, customers=0)
        snapshot = Snapshot(revision=1, at_s=T0, values={})
        self.do(put_waiting(self.store))
        self.do(self.approvals.propose(one, snapshot=snapshot, forecast=FORECAST, inputs=()))
        self.books[one.mrid] = Book(
            digest=one.digest(),
            needed=2 if net_kw >= POLICY.two_person_kw else 1,
            until_s=self.clock.monotonic_s() + LIFE_S,
        )

    @rule(person=PEOPLE, right=st.sampled_from((True, True, True, False)), data=st.data())
    def approve(self, person: Person, right: bool, data: st.DataObject) -> None:
        self.say_yes(self.name(data), person, right=right)

    @rule(data=st.data(), released=st.booleans())
    def go_on(self, data: st.DataObject, released: bool) -> None:
        """The straight way, or hardly a plan would live to its release: both persons, at once."""
        if not self.approvals.open:
            return
        self.blocked = ()
        mrid = str(data.draw(st.sampled_from(sorted(self.approvals.open))))
        for person in TWO_PERSONS:
            self.say_yes(mrid, person, right=True)
        if released:
            self.release()

    def say_yes(self, mrid: str, person: Person, *, right: bool) -> None:
        """Try; when it was taken, the rules must allow it."""
        book = self.books.get(mrid)
        shown = book.digest if book is not None and right else "0" * 64
        try:
            self.do(self.approvals.approve(mrid, shown_digest=shown, person=person))
        except RefusedError:
            return
        assert book is not None
        assert right
        assert not self.blocked
        assert not book.over
        assert self.clock.monotonic_s() <= book.until_s
        assert ROLES[person.user] != "VIEWER"
        assert person.user != "optimizer", "the proposer never counts"
        assert person.user not in {user for user, _ in book.given}
        assert person.session not in {session for _, session in book.given}
        assert len(book.given) < book.needed
        book.given.add((person.user, person.session))
        if len(book.given) == book.needed:
            book.until_s = self.clock.monotonic_s() + LIFE_S

    @rule(person=PEOPLE, data=st.data())
    def reject(self, person: Person, data: st.DataObject) -> None:
        mrid = self.name(data)
        book = self.books.get(mrid)
        shown = "" if book is None else book.digest
        try:
            self.do(
                self.approvals.reject(mrid, shown_digest=shown, reason="not now", person=person)
            )
        except RefusedError:
            return
        assert book is not None
        book.over = True

    @rule(
        which=st.sampled_from(("right", "right", "right", *PROMOTIONS, "")),
        inside=st.sampled_from((True, True, True, False)),
    )
    def promote(self, which: str, inside: bool) -> None:
        """Another promotion of the area, or none; and whether plans are inside its envelope."""
        chosen = PROMOTIONS.get(which)
        self.promotion = None if chosen is None else replace(chosen, at_s=self.clock.now_s())
        self.outside = () if inside else ("above the envelope",)

    @rule(data=st.data(), released=st.booleans())
    def stand(self, data: st.DataObject, released: bool) -> None:
        """Nobody is asked: then it must be what two persons have said beforehand."""
        self.let_stand(self.name(data), released=released)

    @rule(released=st.booleans())
    def go_by_itself(self, released: bool) -> None:
        """The straight way by an envelope, or hardly a plan would go it: a new plan inside it."""
        self.promote("right", inside=True)
        self.blocked = ()
        self.propose(50.0)
        self.let_stand(list(self.books)[-1], released=released)

    def let_stand(self, mrid: str, *, released: bool) -> None:
        """Try; when it was taken, the rules must allow it."""
        if self.do(self.approvals.stand(mrid)):
            return
        book, promotion = self.books[mrid], self.promotion
        assert promotion is not None
        right = replace(PROMOTIONS["right"], at_s=promotion.at_s)
        assert promotion == right, "no other promotion stands for anything"
        assert promotion.at_s <= self.clock.now_s() < promotion.expires_s
        assert not self.outside
        assert not self.blocked
        assert not book.over
        assert not book.given, "people had begun to decide"
        assert self.clock.monotonic_s() <= book.until_s
        book.given = set(zip(promotion.approved_by, promotion.sessions, strict=True))
        book.standing = promotion
        book.until_s = self.clock.monotonic_s() + LIFE_S
        if released:
            self.release()

    @rule(by_s=st.sampled_from((0.5, 1.0, 1.0, 1.0, 40.0, 101.0)))
    def wait(self, by_s: float) -> None:
        self.clock.advance(by_s)

    @rule(
        how=st.sampled_from(("expire", "void", "stop", "block", "free", "free", "free", "free")),
        data=st.data(),
    )
    def disturb(self, how: str, data: st.DataObject) -> None:
        """One rule for all of it, or hardly a plan would live to its release."""
        match how:
            case "expire":
                self.do(self.approvals.expire())
            case "void":
                mrid = self.name(data)
                was_open = mrid in self.approvals.open
                self.do(self.approvals.void(mrid, "moved on"))
                if was_open:
                    self.books[mrid].over = True
            case "stop":
                for mrid in self.approvals.open:
                    self.books[mrid].over = True
                person = Person(user="anne", session="s1", source="", role="OPERATOR")
                self.do(self.approvals.stop_all("STOP", person))
            case _:
                self.blocked = ("the head is not known",) if how == "block" else ()

    @rule()
    def release(self) -> None:
        self.blocked = ()
        taken: OpenPlan | None = self.do(self.approvals.take())
        if taken is None:
            return
        mrid, book = taken.plan.mrid, self.books[taken.plan.mrid]
        assert mrid not in self.released, "released twice"
        assert not book.over
        assert self.clock.monotonic_s() <= book.until_s, "released after its time"
        assert len(book.given) >= book.needed
        if book.standing is not None:
            assert book.standing == self.promotion, "taken back before its release"
            assert self.clock.now_s() < book.standing.expires_s
            assert {a.standing for a in taken.approvals} == {book.standing.digest()}
            type(self).stood += 1
        assert {(a.by, a.session) for a in taken.approvals} == book.given
        assert {a.digest for a in taken.approvals} == {book.digest}
        stored = self.do(self.store.plan(mrid))
        assert stored.state is PlanState.ACTIVE
        answered = self.do(self.store.requests(states=(RequestState.ACTIVE,)))
        assert tuple(r.mrid for r in answered) == taken.plan.requests
        assert {(a.by, a.session) for a in stored.approvals} == book.given
        book.over = True
        self.released.append(mrid)
        type(self).releases += 1

    @invariant()
    def what_is_over_is_not_open(self) -> None:
        for mrid, book in self.books.items():
            assert not (book.over and mrid in self.approvals.open)


async def put_waiting(store: SqlStore) -> None:
    """What every plan here answers waits, whatever became of it before."""
    async with store.transaction() as unit:
        await unit.put_request(request())


def walk(
    store: SqlStore, loop: asyncio.AbstractEventLoop, *, examples: int, steps: int
) -> tuple[int, int]:
    """Let machines look for a way around; how many plans got through the right one, and how many of
    them by a standing approval (SG-37)."""

    class Machine(Approving):
        releases = 0
        stood = 0

    Machine.store, Machine.loop = store, loop
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            # Each walk goes another way, in CI as well, or a second one would show nothing new.
            derandomize=False,
            # A real store and a short walk: to shrink it takes longer than to read it.
            phases=(Phase.generate,),
        ),
    )
    return Machine.releases, Machine.stood


@contextmanager
def running(
    opened: AbstractAsyncContextManager[SqlStore],
) -> Iterator[tuple[SqlStore, asyncio.AbstractEventLoop]]:
    loop = asyncio.new_event_loop()
    store = loop.run_until_complete(opened.__aenter__())
    try:
        yield store, loop
        assert loop.run_until_complete(store.verify_audit()).ok
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()


def test_sg06_no_path_leads_around_the_approvals() -> None:
    """The short walk; the long one, in make soak, must reach many releases."""
    with running(temporary_store(ManualClock(grid_s=T0))) as (store, loop):
        released = stood = 0
        for _ in range(SHORT_WALKS):
            more, standing = walk(store, loop, examples=25, steps=20)
            released, stood = released + more, stood + standing
            if released >= SHORT_RELEASES and stood > 0:
                break
        assert released >= SHORT_RELEASES
        assert stood > 0


@asynccontextmanager
async def postgresql() -> AsyncIterator[SqlStore]:
    with postgres.server() as url:
        store = await open_store(url, clock=ManualClock(grid_s=T0))
        try:
            yield store
        finally:
            await store.close()


@pytest.mark.soak
@pytest.mark.parametrize("which", ["sqlite", "postgresql"])
def test_sg06_no_path_leads_around_the_approvals_500_times_50(which: str) -> None:
    if which == "postgresql" and (reason := postgres.missing_reason()) is not None:
        pytest.skip(reason)
    opened = postgresql() if which == "postgresql" else temporary_store(ManualClock(grid_s=T0))
    with running(opened) as (store, loop):
        released, stood = walk(store, loop, examples=500, steps=50)
        sys.stdout.write(f"{which}: {released} released, {stood} of them by a standing approval\n")
        assert released >= LONG_RELEASES
        assert stood >= LONG_STOOD
