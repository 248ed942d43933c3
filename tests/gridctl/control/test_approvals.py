"""No path leads to a released plan without the approvals that it needs (SG-06 … SG-09, SG-21).

A machine that proposes, approves, rejects, waits, stops and releases as it likes, on a real store;
what comes out for dispatch is held against what the rules say, counted by a book of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gridctl.control.approvals import Approvals, OpenPlan
from gridctl.control.ports import Person
from gridctl.model.approval import ApprovalPolicy
from gridctl.model.clock import ManualClock
from gridctl.model.errors import RefusedError
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import PlanState
from gridctl.model.planning import Forecast, Horizon
from gridctl.store.engine import SqlStore, open_store, temporary_store
from tests.gridctl.store import postgres
from tests.gridctl.store.examples import T0, plan

LIFE_S = 100.0
POLICY = ApprovalPolicy(
    two_person_kw=200.0, two_person_customers=1_000, plan_life_s=LIFE_S, approval_life_s=LIFE_S
)
NAMES = ("anne", "bert", "eve", "optimizer")
ROLES = {"anne": "OPERATOR", "bert": "SUPERVISOR", "eve": "VIEWER", "optimizer": "OPERATOR"}
PEOPLE = st.builds(
    lambda name, session: Person(user=name, session=session, source="127.0.0.1", role=ROLES[name]),
    st.sampled_from(NAMES),
    st.sampled_from(("s1", "s2")),
)
FORECAST = Forecast(
    horizon=Horizon(start_s=T0, step_s=900.0, count=1),
    quantiles=(0.5,),
    values_kw=((1.0,),),
    method="",
    history_days=0.0,
    nmae_pct=None,
)


@dataclass
class Book:
    """What the rules allow, kept beside the program."""

    digest: str
    needed: int
    until_s: float
    given: set[tuple[str, str]] = field(default_factory=set)
    over: bool = False


class Approving(RuleBasedStateMachine):
    """One office; `opened` is set by the test that runs it."""

    opened: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock(grid_s=T0, mono_s=50.0)
        self.manager: AbstractAsyncContextManager[SqlStore] = type(self).opened(self.clock)
        self.store = self.do(self.manager.__aenter__())
        self.blocked: tuple[str, ...] = ()
        self.approvals = Approvals(
            store=self.store,
            clock=self.clock,
            policy=POLICY,
            blocked=lambda _: self.blocked,
        )
        self.books: dict[str, Book] = {}
        self.released: list[str] = []

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        check = self.do(self.store.verify_audit())
        self.do(self.manager.__aexit__(None, None, None))
        self.loop.close()
        assert check.ok, check

    def names(self) -> list[str]:
        return list(self.books) or ["P-none"]

    @rule(net_kw=st.sampled_from((50.0, 200.0, 900.0)))
    def propose(self, net_kw: float) -> None:
        one = replace(plan(f"P{len(self.books)}"), net_kw=net_kw, customers=0)
        snapshot = Snapshot(revision=1, at_s=T0, values={})
        self.do(self.approvals.propose(one, snapshot=snapshot, forecast=FORECAST, inputs=()))
        self.books[one.mrid] = Book(
            digest=one.digest(),
            needed=2 if net_kw >= POLICY.two_person_kw else 1,
            until_s=self.clock.monotonic_s() + LIFE_S,
        )

    @rule(person=PEOPLE, right=st.booleans(), data=st.data())
    def approve(self, person: Person, right: bool, data: st.DataObject) -> None:
        mrid = data.draw(st.sampled_from(self.names()))
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
        mrid = data.draw(st.sampled_from(self.names()))
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

    @rule(by_s=st.sampled_from((1.0, 40.0, 101.0)))
    def wait(self, by_s: float) -> None:
        self.clock.advance(by_s)

    @rule()
    def expire(self) -> None:
        self.do(self.approvals.expire())

    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        mrid = data.draw(st.sampled_from(self.names()))
        was_open = mrid in self.approvals.open
        self.do(self.approvals.void(mrid, "moved on"))
        if was_open:
            self.books[mrid].over = True

    @rule()
    def stop(self) -> None:
        for mrid in self.approvals.open:
            self.books[mrid].over = True
        person = Person(user="anne", session="s1", source="", role="OPERATOR")
        self.do(self.approvals.stop_all("STOP", person))

    @rule(now=st.booleans())
    def block(self, now: bool) -> None:
        self.blocked = ("the head is not known",) if now else ()

    @rule()
    def release(self) -> None:
        taken: OpenPlan | None = self.do(self.approvals.take())
        if taken is None:
            return
        mrid, book = taken.plan.mrid, self.books[taken.plan.mrid]
        assert mrid not in self.released, "released twice"
        assert not book.over
        assert self.clock.monotonic_s() <= book.until_s, "released after its time"
        assert len(book.given) == book.needed
        assert {(a.by, a.session) for a in taken.approvals} == book.given
        assert {a.digest for a in taken.approvals} == {book.digest}
        stored = self.do(self.store.plan(mrid))
        assert stored.state is PlanState.ACTIVE
        assert {(a.by, a.session) for a in stored.approvals} == book.given
        book.over = True
        self.released.append(mrid)

    @invariant()
    def what_is_over_is_not_open(self) -> None:
        for mrid, book in self.books.items():
            assert not (book.over and mrid in self.approvals.open)


def machine(opened: Any) -> type[Approving]:
    return type("Machine", (Approving,), {"opened": staticmethod(opened)})


def test_sg06_no_path_leads_around_the_approvals() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine(temporary_store),
        settings=settings(max_examples=12, stateful_step_count=25, deadline=None),
    )


@contextmanager
def database(which: str) -> Iterator[Any]:
    if which == "sqlite":
        yield temporary_store
        return
    reason = postgres.missing_reason()
    if reason is not None:
        pytest.skip(reason)
    with postgres.server() as url:

        @asynccontextmanager
        async def opened(clock: ManualClock) -> Any:
            store = await open_store(url, clock=clock)
            async with store.transaction() as unit:
                await unit.connection.exec_driver_sql(
                    "TRUNCATE plan, plan_state, plan_input, approval, shadow_score CASCADE"
                )
            try:
                yield store
            finally:
                await store.close()

        yield opened


@pytest.mark.soak
@pytest.mark.parametrize("which", ["sqlite", "postgresql"])
def test_sg06_no_path_leads_around_the_approvals_500_times_50(which: str) -> None:
    with database(which) as opened:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            machine(opened),
            settings=settings(max_examples=500, stateful_step_count=50, deadline=None),
        )
