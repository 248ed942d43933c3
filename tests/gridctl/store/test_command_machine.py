"""The journal of commands as a machine: whatever is tried, only the table's ways are gone.

Several commands of several plans at once, on a real store; a book beside it keeps what the one
table of `gridctl.model.command` allows. What is operated was ordered, and nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from dataclasses import replace
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

from gridctl.model.clock import ManualClock
from gridctl.model.command import TRANSITIONS, CommandState
from gridctl.store.engine import SqlStore, open_store, temporary_store
from tests.gridctl.store import postgres
from tests.gridctl.store.examples import command

SENT = CommandState.OPERATED
NEVER_FAILED_AFTER = frozenset({CommandState.ACCEPTED, CommandState.CONFIRMED})
WAY = (
    CommandState.APPROVED,
    CommandState.ORDERED,
    CommandState.ADMITTED,
    CommandState.SELECTED,
    CommandState.OPERATED,
    CommandState.ACCEPTED,
    CommandState.CONFIRMED,
    CommandState.EFFECTIVE,
    CommandState.RELEASED,
)


class Commands(RuleBasedStateMachine):
    """One store; every machine goes on with new commands."""

    loop: asyncio.AbstractEventLoop
    store: SqlStore
    numbers: Iterator[int]
    finished = 0

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, list[CommandState]] = {}
        self.at_s = 0.0
        self.plan = f"P{next(self.numbers)}"

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def first(self) -> None:
        self.add()

    @rule()
    def add(self) -> None:
        mrid = f"C{next(self.numbers)}"
        self.do(self._added(mrid))
        self.states[mrid] = [CommandState.PROPOSED]

    async def _added(self, mrid: str) -> None:
        async with self.store.transaction() as unit:
            await unit.add_command(
                replace(command(), mrid=mrid, plan=self.plan),
                state=CommandState.PROPOSED,
                at_s=self.at_s,
            )

    @rule(to=st.sampled_from(CommandState), data=st.data())
    def any_move(self, to: CommandState, data: st.DataObject) -> None:
        self.move(data.draw(st.sampled_from(sorted(self.states))), to)

    @rule(data=st.data(), steps=st.integers(1, 4))
    def go_on(self, data: st.DataObject, steps: int) -> None:
        """Some steps of the straight way, or few commands would get far."""
        mrid = data.draw(st.sampled_from(sorted(self.states)))
        for _ in range(steps):
            now = self.states[mrid][-1]
            ahead = [s for s in WAY if s in TRANSITIONS[now]]
            if ahead:
                self.move(mrid, ahead[0])

    def move(self, mrid: str, to: CommandState) -> None:
        self.at_s += 1.0
        now = self.states[mrid][-1]
        moved = self.do(self._moved(mrid, to))
        assert moved == (to in TRANSITIONS[now])
        if moved:
            self.states[mrid].append(to)
            type(self).finished += to is CommandState.RELEASED

    async def _moved(self, mrid: str, to: CommandState) -> bool:
        async with self.store.transaction() as unit:
            return bool(await unit.move_command(mrid, to=to, at_s=self.at_s))

    @invariant()
    def sg19_nothing_is_sent_twice_and_nothing_unordered(self) -> None:
        for way in self.states.values():
            assert way.count(SENT) <= 1
            if SENT in way:
                assert CommandState.ORDERED in way[: way.index(SENT)]
            taken = [s for s in way if s in NEVER_FAILED_AFTER]
            assert not (taken and CommandState.FAILED in way)

    def teardown(self) -> None:
        """The store tells the same story."""
        rows = {row.command.mrid: row for row in self.do(self.store.commands(plan=self.plan))}
        for mrid, way in self.states.items():
            assert [step[0] for step in rows[mrid].history] == way


def walk(
    store: SqlStore,
    loop: asyncio.AbstractEventLoop,
    *,
    examples: int,
    steps: int,
    always_the_same: bool = False,
) -> int:
    """How many commands came to their very end."""

    class Machine(Commands):
        finished = 0

    Machine.store, Machine.loop, Machine.numbers = store, loop, itertools.count()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=always_the_same,
            phases=(Phase.generate,),
        ),
    )
    return Machine.finished


def test_sg04_no_path_leads_around_the_table_of_states() -> None:
    """The short walk."""
    loop = asyncio.new_event_loop()
    opened = temporary_store(ManualClock())
    store = loop.run_until_complete(opened.__aenter__())
    try:
        assert walk(store, loop, examples=15, steps=20, always_the_same=True) >= 1
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()


@pytest.mark.soak
@pytest.mark.parametrize("which", ["sqlite", "postgresql"])
def test_sg04_no_path_leads_around_the_table_of_states_500_times_50(which: str) -> None:
    loop = asyncio.new_event_loop()
    try:
        if which == "sqlite":
            opened = temporary_store(ManualClock())
            store = loop.run_until_complete(opened.__aenter__())
            try:
                assert walk(store, loop, examples=500, steps=50) >= 150
            finally:
                loop.run_until_complete(opened.__aexit__(None, None, None))
            return
        if (reason := postgres.missing_reason()) is not None:
            pytest.skip(reason)
        with postgres.server() as url:
            store = loop.run_until_complete(open_store(url, clock=ManualClock()))
            try:
                assert walk(store, loop, examples=500, steps=50) >= 150
            finally:
                loop.run_until_complete(store.close())
    finally:
        loop.close()
