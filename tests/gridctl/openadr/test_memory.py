"""Answers are told again only while nothing has changed, and never more than may be kept."""

from __future__ import annotations

from gridctl.model.clock import ManualClock
from gridctl.openadr.memory import Answer, Memory
from gridctl.platform_api.ven_events import OFFICE
from gridctl.store.engine import open_store
from gridctl.store.openadr_kinds import Reader, StoredObject
from tests.gridctl.openadr.vtn import NOON_S, Vtn, event
from tests.gridctl.store import postgres

ONE = Answer(body=b"[]", etag='"1"')


def test_a_write_forgets_everything() -> None:
    memory = Memory()
    memory.keep("a", ONE, read_in=1, generation=1)
    memory.keep_grants("ven", frozenset({"t"}), read_in=1, generation=1)
    assert memory.answer("a", 1) == ONE
    assert memory.grants("ven", 1) == frozenset({"t"})
    assert memory.answer("a", 2) is None
    assert memory.grants("ven", 2) is None
    assert memory.answer("a", 2) is None


def test_what_was_read_before_a_write_is_not_kept_after_it() -> None:
    memory = Memory()
    memory.keep("a", ONE, read_in=1, generation=2)
    assert memory.answer("a", 2) is None


async def test_what_another_process_writes_is_seen_at_once() -> None:
    assert postgres.missing_reason() is None
    clock = ManualClock(grid_s=NOON_S)
    one = StoredObject(
        kind="program", id="p", client_id="bl", keys={"name": "p"}, targets=(),
        body="{}", created_s=NOON_S, modified_s=NOON_S,
    )  # fmt: skip
    reader = Reader(client_id="bl", sees_all=True)
    entry = OFFICE.entry("test", "p", at_s=NOON_S)
    with postgres.server() as address:
        ours, theirs = (
            await open_store(address, clock=clock),
            await open_store(address, clock=clock),
        )
        try:
            memory, before = Memory(), await ours.objects.generation()
            memory.keep("a", ONE, read_in=before, generation=ours.objects.generation_after(before))
            assert memory.answer("a", await ours.objects.generation()) == ONE
            assert await theirs.objects.add(one, entry, reader=reader) is None
            assert memory.answer("a", await ours.objects.generation()) is None
            assert await ours.objects.one("program", "p", reader=reader) == one
        finally:
            await ours.close()
            await theirs.close()


def test_the_longest_unasked_goes_first_and_bytes_are_bounded() -> None:
    memory = Memory(entries_max=2, bytes_max=1_000)
    for key in ("a", "b"):
        memory.keep(key, ONE, read_in=1, generation=1)
    assert memory.answer("a", 1) == ONE
    memory.keep("c", ONE, read_in=1, generation=1)
    assert memory.answer("b", 1) is None
    memory.keep("big", Answer(body=bytes(1_001)), read_in=1, generation=1)
    assert memory.answer("big", 1) is None
    assert memory.answer("a", 1) is None


async def test_a_grant_shows_at_the_next_question(vtn: Vtn, program_id: str) -> None:
    """Privacy is not remembered longer than it holds: page, object and validator change at once."""
    hidden = await vtn.made("/events", event(program_id, targets=["feeder-7"]))
    one = f"/events/{hidden['id']}"

    async def seen(*, granted: bool) -> None:
        for _ in range(2):
            page = await (await vtn.call("GET", "/events", who="ven")).json()
            assert [found["id"] for found in page] == ([hidden["id"]] if granted else [])
            answer = await vtn.call("GET", one, who="ven")
            assert answer.status == (200 if granted else 404)
            assert not granted or (await answer.json())["targets"] == ["feeder-7"]

    await seen(granted=False)
    body = {"objectType": "BL_VEN_REQUEST", "clientID": "ven", "venName": "v"}
    ven = await vtn.made("/vens", {**body, "targets": ["feeder-7"]})
    await seen(granted=True)
    assert (await vtn.call("DELETE", f"/vens/{ven['id']}")).status == 200
    await seen(granted=False)
