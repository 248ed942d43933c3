"""What every store does, shown on SQLite and on a PostgreSQL that the test starts itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from gridctl.control.ports import Store, Transaction
from gridctl.model.alarm import AlarmState
from gridctl.model.clock import ManualClock
from gridctl.model.command import CommandState
from gridctl.model.errors import InvariantViolation, RefusedError, UnavailableError
from gridctl.model.measurement import Flag, TimeQuality, Validity
from gridctl.model.plan import PlanState
from gridctl.model.program import RequestState
from gridctl.model.record import EvidenceRow
from gridctl.store.engine import SqlStore, open_store
from gridctl.store.migrate import current, head, upgrade
from tests.gridctl.store import postgres
from tests.gridctl.store.examples import (
    ODD_QUALITIES,
    T0,
    alarm,
    approval,
    command,
    entry,
    measurement,
    plan,
    request,
)

Opener = Callable[[], Awaitable[SqlStore]]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    reason = postgres.missing_reason()
    if reason is not None:
        pytest.skip(reason)
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/control.db"
        return
    server: str = request.getfixturevalue("postgres_url")
    folder = server.partition("host=")[2]
    admin = await asyncpg.connect(user="gridctl", database="postgres", host=folder)
    name = f"t{abs(hash(tmp_path.name))}"
    await admin.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(grid_s=T0, mono_s=100.0)


@pytest.fixture
async def store(url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    opened = await open_store(url, clock=clock)
    yield opened
    await opened.close()


async def test_it_is_a_store(store: SqlStore) -> None:
    port: Store = store
    async with port.transaction() as unit:
        work: Transaction = unit
        await work.set_flag("mode", "advisory")
        await work.set_flag("mode", "shadow")
    assert await port.flag("mode") == "shadow"
    assert await port.flag("never set") is None


async def test_all_or_nothing(store: SqlStore) -> None:
    async def fails_at_the_end() -> None:
        async with store.transaction() as unit:
            await unit.add_plan(plan(), PlanState.PROPOSED, T0)
            await unit.audit(entry())
            await unit.next_sequence()
            raise TimeoutError("of the caller's own")

    with pytest.raises(TimeoutError, match="own"):
        await fails_at_the_end()
    assert await store.plans() == []
    assert await store.audit_rows() == []
    async with store.transaction() as unit:
        assert await unit.next_sequence() == (1, 1)


async def test_a_cancelled_transaction_writes_nothing_and_lets_go(store: SqlStore) -> None:
    inside = asyncio.Event()

    async def half_done() -> None:
        async with store.transaction() as unit:
            await unit.set_flag("half", "done")
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(half_done())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.transaction() as unit:
        await unit.set_flag("next", "1")
    assert await store.flag("half") is None
    assert await store.flag("next") == "1"


async def test_writers_take_turns_and_readers_see_only_what_is_committed(store: SqlStore) -> None:
    async with store.transaction() as unit:
        await unit.set_flag("x", "1")
        assert await store.flag("x") is None
        with pytest.raises(InvariantViolation, match="inside a transaction"):
            async with store.transaction():
                pass

    async def bump() -> None:
        async with store.transaction() as unit:
            await unit.audit(entry())
            await unit.next_sequence()

    await asyncio.gather(*(bump() for _ in range(12)))
    assert (await store.verify_audit()).rows == 12


async def test_a_closed_store_stays_closed(store: SqlStore) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def last_words() -> None:
        async with store.transaction() as unit:
            inside.set()
            await go_on.wait()
            await unit.set_flag("last", "words")

    running = asyncio.create_task(last_words())
    await inside.wait()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(running, closing)
    with pytest.raises(UnavailableError, match="closed"):
        await store.flag("last")
    with pytest.raises(UnavailableError, match="closed"):
        await store.add_samples([measurement()])


async def test_a_measurement_comes_back_whole(store: SqlStore) -> None:
    written = [
        replace(
            measurement(at_s=T0 + index),
            quality=quality,
            time_quality=time_quality,
            value=value,
        )
        for index, (quality, time_quality, value) in enumerate(
            zip(ODD_QUALITIES, TimeQuality, (0.1 + 0.2, -1e300, 0.0), strict=True)
        )
    ]
    await store.add_samples(written)
    assert await store.samples("FDR.TotW", start_s=T0, end_s=T0 + 10, count_max=9) == written
    assert await store.samples("FDR.TotW", start_s=T0, end_s=T0 + 1, count_max=9) == written[:1]
    assert await store.samples("FDR.TotW", start_s=T0, end_s=T0 + 9, count_max=2) == written[:2]
    assert await store.samples("unknown", start_s=0, end_s=T0 + 9, count_max=2) == []


async def test_not_a_number_comes_back_as_such(store: SqlStore) -> None:
    bad = measurement(value=math.nan, validity=Validity.INVALID, flags=frozenset({Flag.INITIAL}))
    await store.add_samples([bad])
    (found,) = await store.samples("FDR.TotW", start_s=T0, end_s=T0 + 1, count_max=9)
    assert math.isnan(found.value)
    assert found.quality == bad.quality


async def test_a_replayed_sample_is_ignored(store: SqlStore) -> None:
    await store.add_samples([measurement(value=1.0), measurement("OTHER", value=7.0)])
    await store.add_samples([measurement(value=2.0), measurement(at_s=T0 + 1, value=3.0)])
    await store.add_samples([])
    found = await store.samples("FDR.TotW", start_s=0, end_s=T0 + 9, count_max=9)
    assert [m.value for m in found] == [1.0, 3.0]


async def test_series_is_the_mean_of_what_is_good(store: SqlStore) -> None:
    start = 1_786_000_500.0
    await store.add_samples(
        [
            measurement(at_s=start, value=1.0),
            measurement(at_s=start + 899.999, value=3.0),
            measurement(at_s=start + 1, value=99.0, validity=Validity.QUESTIONABLE),
            measurement(at_s=start + 950, value=5.0, validity=Validity.INVALID),
            measurement(at_s=start + 1800, value=10.0),
            measurement(at_s=start + 2700, value=77.0),
            measurement("OTHER", at_s=start, value=55.0),
        ]
    )
    found = await store.series("FDR.TotW", start_s=start, end_s=start + 2700, step_s=900.0)
    assert (found.start_s, found.step_s) == (start, 900.0)
    assert found.values == (2.0, None, 10.0)
    empty = await store.series("FDR.TotW", start_s=start, end_s=start, step_s=900.0)
    assert empty.values == ()


async def test_many_samples(store: SqlStore) -> None:
    many = [measurement(f"P{i % 70}", at_s=T0 + i // 70, value=float(i)) for i in range(12_000)]
    await store.add_samples(many)
    found = await store.samples("P69", start_s=0, end_s=2 * T0, count_max=1000)
    assert len(found) == 171
    assert found[-1].value == 11969.0


async def test_a_plan_comes_back_with_the_digest_that_was_approved(
    store: SqlStore, url: str, clock: ManualClock
) -> None:
    proposed = plan()
    async with store.transaction() as unit:
        await unit.add_plan(proposed, PlanState.PROPOSED, T0)
        await unit.add_approval(approval(proposed, "op1", "s1"))
        await unit.add_approval(approval(proposed, "op2", "s2"))
    await store.close()
    again = await open_store(url, clock=clock)
    try:
        found = await again.plan("P1")
        assert found is not None
        assert found.plan == proposed
        assert found.plan.digest() == found.digest == proposed.digest()
        assert [a.by for a in found.approvals] == ["op1", "op2"]
        assert found.approvals[0] == approval(proposed, "op1", "s1")
        assert await again.plan("P2") is None
    finally:
        await again.close()


async def test_the_same_person_or_session_approves_once(store: SqlStore) -> None:
    proposed = plan()
    async with store.transaction() as unit:
        await unit.add_plan(proposed, PlanState.PROPOSED, T0)
        await unit.add_approval(approval(proposed, "op1", "s1"))
        for by, session in (("op1", "s2"), ("op2", "s1")):
            with pytest.raises(RefusedError) as refused:
                await unit.add_approval(approval(proposed, by, session))
            assert refused.value.refusal.code == "same_person"
        with pytest.raises(InvariantViolation):
            await unit.add_approval(approval(plan(version=2), "op2", "s2"))
    found = await store.plan("P1")
    assert found is not None
    assert len(found.approvals) == 1


async def test_a_plan_moves_only_from_where_it_is(store: SqlStore) -> None:
    async with store.transaction() as unit:
        await unit.add_plan(plan(), PlanState.PROPOSED, T0)
    async with store.transaction() as unit:
        proposed, approved = PlanState.PROPOSED, PlanState.APPROVED
        first = await unit.move_plan(
            "P1", expected=proposed, to=approved, at_s=T0 + 1, reason="two yes"
        )
        late = await unit.move_plan(
            "P1", expected=proposed, to=PlanState.REJECTED, at_s=T0 + 2, reason="no"
        )
        unknown = await unit.move_plan("P9", expected=proposed, to=approved, at_s=T0, reason="")
        assert (first, late, unknown) == (True, False, False)
        with pytest.raises(InvariantViolation):
            await unit.move_plan("P1", expected=approved, to=proposed, at_s=T0, reason="")
    found = await store.plan("P1")
    assert found is not None
    assert (found.state, found.state_at_s, found.reason) == (approved, T0 + 1, "two yes")


async def test_plans_are_listed_newest_first(store: SqlStore) -> None:
    async with store.transaction() as unit:
        for number in range(4):
            await unit.add_plan(plan(f"P{number}"), PlanState.PROPOSED, T0)
        await unit.move_plan(
            "P1", expected=PlanState.PROPOSED, to=PlanState.VOID, at_s=T0, reason="stale"
        )
    assert [p.plan.mrid for p in await store.plans()] == ["P3", "P2", "P1", "P0"]
    assert [p.plan.mrid for p in await store.plans(limit=1)] == ["P3"]
    assert [p.plan.mrid for p in await store.plans(states=[PlanState.VOID])] == ["P1"]


async def test_an_altered_plan_is_not_given_out(
    store: SqlStore, url: str, clock: ManualClock
) -> None:
    async with store.transaction() as unit:
        await unit.add_plan(plan(), PlanState.PROPOSED, T0)
        await unit.connection.exec_driver_sql(
            "UPDATE plan SET body = replace(body, '103.25', '103.26')"
        )
    with pytest.raises(InvariantViolation, match="not what was proposed"):
        await store.plan("P1")


async def test_a_command_keeps_its_journal(store: SqlStore) -> None:
    s = CommandState
    async with store.transaction() as unit:
        await unit.add_command(command(), state=s.PROPOSED, at_s=T0)
        await unit.add_command(command("C2", "P2"), state=s.PROPOSED, at_s=T0)
        assert await unit.move_command("C1", to=s.APPROVED, at_s=T0 + 1)
        assert await unit.move_command("C1", to=s.ORDERED, at_s=T0 + 2, order="O1")
        assert not await unit.move_command("C1", to=s.SELECTED, at_s=T0 + 3)
        assert await unit.move_command("C1", to=s.ADMITTED, at_s=T0 + 4)
        assert await unit.move_command(
            "C1", to=s.FAILED, at_s=T0 + 5, status="LOCAL", detail="switch is on local"
        )
        assert not await unit.move_command("C1", to=s.OPERATED, at_s=T0 + 6)
        assert not await unit.move_command("unknown", to=s.APPROVED, at_s=T0)
        await unit.set_measured("C1", 39.5)
    first, second = await store.commands()
    assert first.command == command()
    assert (first.order, first.state, first.status) == ("O1", s.FAILED, "LOCAL")
    assert first.measured_kw == 39.5
    assert first.history == (
        (s.PROPOSED, T0, "", ""),
        (s.APPROVED, T0 + 1, "", ""),
        (s.ORDERED, T0 + 2, "", ""),
        (s.ADMITTED, T0 + 4, "", ""),
        (s.FAILED, T0 + 5, "LOCAL", "switch is on local"),
    )
    assert second.measured_kw is None
    assert [c.command.mrid for c in await store.commands(plan="P2")] == ["C2"]
    assert [c.command.mrid for c in await store.commands(limit=1)] == ["C2"]


async def test_ordered_commands_go_on_from_there_and_are_used_once(store: SqlStore) -> None:
    s, pair = CommandState, (command(), command("C2"))
    async with store.transaction() as unit:
        await unit.order_commands(pair, order="O1", at_s=T0)
        await unit.order_commands((), order="O2", at_s=T0)
        assert not await unit.move_command("C1", to=s.ORDERED, at_s=T0 + 1)
        assert await unit.move_command("C2", to=s.ADMITTED, at_s=T0 + 1)
    first, second = await store.commands()
    assert (first.command, second.command) == pair
    assert [c.order for c in (first, second)] == ["O1", "O1"]
    assert first.history == ((s.APPROVED, T0, "", ""), (s.ORDERED, T0, "", ""))
    assert second.history == (*first.history, (s.ADMITTED, T0 + 1, "", ""))
    with pytest.raises(InvariantViolation):
        async with store.transaction() as unit:
            await unit.order_commands(pair[:1], order="O2", at_s=T0)


async def test_a_command_id_is_used_once(store: SqlStore) -> None:
    async def twice() -> None:
        async with store.transaction() as unit:
            for _ in range(2):
                await unit.add_command(command(), state=CommandState.PROPOSED, at_s=T0)

    with pytest.raises(InvariantViolation):
        await twice()
    assert await store.commands() == []


async def test_requests(store: SqlStore) -> None:
    later = request("R2", start_s=T0 + 9000)
    async with store.transaction() as unit:
        await unit.put_request(later)
        await unit.put_request(request(target_kw=1.0))
        await unit.put_request(request())
        await unit.move_request("R2", RequestState.PLANNED)
    planned = replace(later, state=RequestState.PLANNED)
    assert await store.requests() == [request(), planned]
    assert await store.requests(states=[RequestState.PLANNED]) == [planned]
    with pytest.raises(InvariantViolation):
        async with store.transaction() as unit:
            await unit.move_request("R9", RequestState.PLANNED)


async def test_alarms(store: SqlStore) -> None:
    cleared = alarm("A", state=AlarmState.NORMAL, cleared_s=T0 + 3, acked_by="op1")
    urgent = alarm("C", priority=1)
    async with store.transaction() as unit:
        await unit.put_alarm(alarm("A"), at_s=T0)
        await unit.put_alarm(cleared, at_s=T0 + 4)
        await unit.put_alarm(alarm("B"), at_s=T0)
        await unit.put_alarm(urgent, at_s=T0)
    assert await store.alarms() == [urgent, alarm("B")]
    assert await store.alarms(active_only=False) == [urgent, cleared, alarm("B")]
    assert await store.alarms(limit=1) == [urgent]


async def test_the_audit_chain(store: SqlStore) -> None:
    async with store.transaction() as unit:
        first = await unit.audit(entry("login"))
        second = await unit.audit(entry("approve"))
    assert (first.sequence, first.previous) == (1, "0" * 64)
    assert second.previous == first.hash != second.hash
    assert await store.audit_rows() == [second, first]
    assert await store.audit_rows(limit=1) == [second]
    assert await store.audit_rows(before=2) == [first]
    check = await store.verify_audit()
    assert (check.rows, check.ok, check.first_bad) == (2, True, None)


async def test_journals_are_only_added_to(store: SqlStore) -> None:
    async def rewrite(statement: str) -> None:
        async with store.transaction() as unit:
            await unit.connection.exec_driver_sql(statement)

    async with store.transaction() as unit:
        await unit.add_plan(plan(), PlanState.PROPOSED, T0)
        await unit.add_approval(approval(plan(), "op1", "s1"))
        await unit.add_command(command(), state=CommandState.PROPOSED, at_s=T0)
        await unit.audit(entry())
    for table in ("audit", "approval", "plan_state", "command_state"):
        for statement in (f"UPDATE {table} SET at_s = 0", f"DELETE FROM {table}"):  # noqa: S608
            with pytest.raises(InvariantViolation, match="append-only"):
                await rewrite(statement)


async def test_sequences_go_up_across_restarts_and_fence_the_old_office(
    url: str, clock: ManualClock
) -> None:
    seen = []
    for _ in range(3):
        office = await open_store(url, clock=clock)
        for _ in range(2):
            async with office.transaction() as unit:
                seen.append(await unit.next_sequence())
        await office.close()
    assert seen == [(1, 1), (1, 2), (2, 3), (2, 4), (3, 5), (3, 6)]
    if url.startswith("sqlite"):
        return
    old, new = await open_store(url, clock=clock), await open_store(url, clock=clock)
    try:
        async with old.transaction() as unit:
            assert await unit.next_sequence() == (4, 7)
        async with new.transaction() as unit:
            assert await unit.next_sequence() == (5, 8)
        with pytest.raises(UnavailableError, match="another office"):
            async with old.transaction() as unit:
                await unit.next_sequence()
    finally:
        await old.close()
        await new.close()


async def test_migrations(url: str, clock: ManualClock) -> None:
    assert await current(url) is None
    assert await upgrade(url) == head()
    assert await upgrade(url) == head()
    assert await current(url) == head()
    store = await open_store(url, clock=clock)
    await store.close()


async def test_a_reader_beside_the_office(store: SqlStore, url: str, clock: ManualClock) -> None:
    async with store.transaction() as unit:
        await unit.audit(entry())
    reader = await open_store(url, clock=clock, read_only=True)
    try:
        assert (await reader.verify_audit()).rows == 1
        with pytest.raises(UnavailableError, match="read only"):
            async with reader.transaction():
                pass
    finally:
        await reader.close()


async def test_evidence_of_a_command_is_kept_once_for_each_of_its_states(store: SqlStore) -> None:
    accepted = EvidenceRow(
        command="C1", state=CommandState.ACCEPTED, at_s=T0 + 1, lines=("→ SELECT | c3", "← ✓ | c1")
    )
    async with store.transaction() as unit:
        assert await unit.add_evidence(accepted) is False, "nobody knows this command"
        await unit.add_plan(plan(), PlanState.PROPOSED, T0)
        await unit.add_command(command(), state=CommandState.APPROVED, at_s=T0)
        assert await unit.add_evidence(accepted) is True
    async with store.transaction() as unit:
        again = replace(accepted, lines=("another story",))
        assert await unit.add_evidence(again) is False, "what is written stays"
        released = replace(accepted, state=CommandState.RELEASED, at_s=T0 + 9, lines=("→ home",))
        assert await unit.add_evidence(released) is True
    assert list(await store.evidence("C1")) == [accepted, released]
    assert await store.evidence("C2") == []
    assert len(accepted.digest) == 64
    assert accepted.digest != released.digest
    found = await store.command("C1")
    assert found is not None
    assert found.command == command()
    assert await store.command("C2") is None


async def test_the_log_is_folded_beside_what_is_written(store: SqlStore) -> None:
    async with store.transaction() as unit:
        await unit.put_request(request())
        await store.fold_log()
    await store.fold_log()
    assert [one.mrid for one in await store.requests(states=())] == ["R1"]
