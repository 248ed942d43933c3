"""No sequence of moves ever leaves a state that TRANSITIONS does not allow."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gridctl.model.clock import ManualClock
from gridctl.model.command import TRANSITIONS, CommandState
from gridctl.model.errors import InvariantViolation
from gridctl.model.plan import PLAN_TRANSITIONS, PlanState
from gridctl.store.engine import temporary_store
from tests.gridctl.store.examples import command, plan

COMMAND_MOVES = st.lists(st.sampled_from(CommandState), max_size=25)
PLAN_MOVES = st.lists(
    st.tuples(st.sampled_from(PlanState), st.sampled_from(PlanState)), max_size=25
)


@settings(max_examples=15, deadline=None)
@given(COMMAND_MOVES)
def test_commands(moves: list[CommandState]) -> None:
    async def run() -> None:
        async with temporary_store(ManualClock()) as store:
            state = CommandState.PROPOSED
            expected = [state]
            async with store.transaction() as unit:
                await unit.add_command(command(), state=state, at_s=0.0)
                for step, to in enumerate(moves):
                    moved = await unit.move_command("C1", to=to, at_s=float(step))
                    assert moved == (to in TRANSITIONS[state])
                    if moved:
                        state = to
                        expected.append(to)
            (row,) = await store.commands()
            assert row.state is state
            assert [h[0] for h in row.history] == expected

    asyncio.run(run())


@settings(max_examples=15, deadline=None)
@given(PLAN_MOVES)
def test_plans(moves: list[tuple[PlanState, PlanState]]) -> None:
    async def run() -> None:
        async with temporary_store(ManualClock()) as store:
            state = PlanState.PROPOSED
            async with store.transaction() as unit:
                await unit.add_plan(plan(), state, 0.0)
                for expected, to in moves:
                    try:
                        moved = await unit.move_plan(
                            "P1", expected=expected, to=to, at_s=1.0, reason=""
                        )
                    except InvariantViolation:
                        assert to not in PLAN_TRANSITIONS[expected]
                        continue
                    assert moved == (expected is state)
                    state = to if moved else state
            found = await store.plan("P1")
            assert found is not None
            assert found.state is state

    asyncio.run(run())
