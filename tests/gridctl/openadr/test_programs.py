"""Programs over HTTP."""

from __future__ import annotations

import json

from tests.gridctl.openadr.vtn import BASE, Vtn, event, program


async def test_create_read_list_replace_delete(vtn: Vtn) -> None:
    made = await vtn.made(
        "/programs",
        program(id="mine", createdDateTime="x", objectType="VEN", tags=["3.1.1"], targets=[]),
    )
    assert made["objectType"] == "PROGRAM"
    assert made["id"] != "mine"
    assert made["createdDateTime"] == "2026-08-05T12:00:00.000Z"
    assert made["targets"] == []
    assert made["attributes"] is None
    assert "intervalPeriod" not in made
    assert "tags" not in made
    path = f"/programs/{made['id']}"
    assert await (await vtn.call("GET", path)).json() == made
    assert await (await vtn.call("GET", "/programs")).json() == [made]
    vtn.clock.advance(60)
    answer = await vtn.call("PUT", path, program("Peak 2"))
    assert answer.status == 200
    changed = await answer.json()
    assert changed["programName"] == "Peak 2"
    assert changed["createdDateTime"] == made["createdDateTime"]
    assert changed["modificationDateTime"] == "2026-08-05T12:01:00.000Z"
    answer = await vtn.call("DELETE", path)
    assert answer.status == 200
    assert await answer.json() == changed
    assert (await vtn.call("GET", path)).status == 404
    assert (await vtn.call("DELETE", path)).status == 404
    actions = [row.entry.action for row in await vtn.store.audit_rows()]
    assert actions == [f"openadr.program.{act}" for act in ("delete", "update", "create")]
    assert (await vtn.store.verify_audit()).ok


async def test_names_are_unique(vtn: Vtn) -> None:
    await vtn.made("/programs", program("A"))
    other = await vtn.made("/programs", program("B"))
    answer = await vtn.call("POST", "/programs", program("A"))
    assert answer.status == 409
    assert answer.content_type == "application/problem+json"
    assert (await vtn.call("PUT", f"/programs/{other['id']}", program("A"))).status == 409
    assert (await vtn.call("PUT", f"/programs/{other['id']}", program("B"))).status == 200


async def test_a_program_with_events_stays(vtn: Vtn, program_id: str) -> None:
    made = await vtn.made("/events", event(program_id))
    assert (await vtn.call("DELETE", f"/programs/{program_id}")).status == 409
    await vtn.call("DELETE", f"/events/{made['id']}")
    assert (await vtn.call("DELETE", f"/programs/{program_id}")).status == 200


async def test_pages(vtn: Vtn) -> None:
    for number in range(7):
        await vtn.made("/programs", program(f"P{number}"))

    async def names(query: str) -> list[str]:
        answer = await vtn.call("GET", f"/programs?{query}")
        assert answer.status == 200
        return [found["programName"] for found in await answer.json()]

    assert await names("limit=3") == ["P0", "P1", "P2"]
    assert await names("skip=5&limit=50") == ["P5", "P6"]
    assert await names("skip=7") == []
    assert await names("limit=0") == []
    for query in ("limit=51", "limit=-1", "skip=-1", "skip=x", "limit=", "skip=1.5"):
        assert (await vtn.call("GET", f"/programs?{query}")).status == 400, query


async def test_a_ven_sees_only_what_has_no_targets(vtn: Vtn) -> None:
    hidden = await vtn.made("/programs", program("hidden", targets=["group-1"]))
    shown = await vtn.made("/programs", program("shown"))
    answer = await vtn.call("GET", "/programs", who="ven")
    assert await answer.json() == [shown]
    assert (await vtn.call("GET", f"/programs/{hidden['id']}", who="ven")).status == 404
    answer = await vtn.call("GET", "/programs?targets=group-1&targets=x", who="ven")
    assert await answer.json() == []
    answer = await vtn.call("GET", "/programs?targets=group-1&targets=x")
    assert await answer.json() == [hidden]


BAD_BODIES: list[object] = [
    {},
    {"programName": ""},
    {"programName": "x" * 129},
    {"programName": 7},
    {"programName": None},
    {"programName": "a\u0000b"},
    {"programName": "P", "targets": [""]},
    {"programName": "P", "targets": "group"},
    {"programName": "P", "payloadDescriptors": [{"objectType": "X", "payloadType": "Y"}]},
    {"programName": "P", "intervalPeriod": {"duration": "2 hours"}},
    {"programName": "P", "intervalPeriod": {"start": "2026-08-05T16:00:00"}},
    {"programName": "P", "intervalPeriod": {"start": "2026-13-05T16:00:00Z"}},
    {"programName": "P", "attributes": [{"type": "A"}]},
    [],
    "text",
    None,
]


async def test_bad_bodies(vtn: Vtn) -> None:
    kind = {"Content-Type": "application/json", "Authorization": f"Bearer {vtn.tokens['bl']}"}
    for body in BAD_BODIES:
        answer = await vtn.client.post(f"{BASE}/programs", data=json.dumps(body), headers=kind)
        assert answer.status == 400, body
        problem = await answer.json()
        assert (problem["status"], answer.content_type) == (400, "application/problem+json")


HOSTILE_BODIES = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"programName": NaN}',
    b'{"programName": "P", "attributes": [{"type": "A", "values": [1e999]}]}',
    b'{"programName": "P", "attributes": [{"type": "A", "values": [-Infinity]}]}',
    b'{"programName": "P", "attributes": [{"type": "A", "values": [' + b"9" * 5000 + b"]}]}",
    b'{"programName": "P", "programName": "Q"}',
    b'{"programName": "\\ud800"}',
    b'{"programName": "P", "x": ' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"programName": "P", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"programName": "P", "x": "' + b"y" * 300_000 + b'"}',
]


async def test_hostile_bodies(vtn: Vtn) -> None:
    kind = {"Content-Type": "application/json", "Authorization": f"Bearer {vtn.tokens['bl']}"}
    for text in HOSTILE_BODIES:
        answer = await vtn.client.post(f"{BASE}/programs", data=text, headers=kind)
        assert answer.status == 400, text[:80]
        assert answer.content_type == "application/problem+json"
    assert await (await vtn.call("GET", "/programs")).json() == []


async def test_other_media_types_and_methods(vtn: Vtn) -> None:
    headers = {"Authorization": f"Bearer {vtn.tokens['bl']}"}
    answer = await vtn.client.post(f"{BASE}/programs", data="programName=P", headers=headers)
    assert answer.status == 400
    answer = await vtn.call("PATCH", "/programs", {})
    assert (answer.status, answer.content_type) == (405, "application/problem+json")
    answer = await vtn.call("GET", "/nothing")
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert (await vtn.call("GET", "/programs/a%20b")).status == 400
