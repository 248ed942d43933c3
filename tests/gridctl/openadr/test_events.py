"""Events over HTTP, and what reaches the operator's desk."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from gridctl.model.errors import Refusal
from gridctl.model.program import RequestState
from tests.gridctl.openadr.vtn import NOON_S, Vtn, event, program

FOUR_PM_S = NOON_S + 4 * 3600


async def test_an_event_becomes_a_request(vtn: Vtn, program_id: str) -> None:
    answer = await vtn.call("POST", "/events", event(program_id, priority=2))
    assert answer.status == 201
    assert "Gridctl-Not-Acted-On" not in answer.headers
    made = await answer.json()
    assert made["objectType"] == "EVENT"
    (request,) = vtn.desk.submitted
    assert asdict(request) == {
        "mrid": f"{made['id']}-0",
        "event_id": made["id"],
        "name": "hot afternoon",
        "source": "bl",
        "start_s": FOUR_PM_S,
        "end_s": FOUR_PM_S + 7200,
        "target_kw": 400.0,
        "priority": 2,
        "received_s": NOON_S,
        "state": RequestState.RECEIVED,
        "devices": None,
        "export_max_kw": None,
    }
    (person,) = vtn.desk.people
    assert (person.user, person.role, person.source) == ("bl", "business-logic", "127.0.0.1")
    row = (await vtn.store.audit_rows(limit=1))[0]
    assert row.entry.action == "openadr.event.create"
    assert "400 kW" in row.entry.result
    assert await (await vtn.call("GET", f"/events/{made['id']}")).json() == made


async def test_a_limit_of_export_becomes_a_request(vtn: Vtn, program_id: str) -> None:
    limit = [{"id": 0, "payloads": [{"type": "EXPORT_CAPACITY_LIMIT", "values": [200]}]}]
    answer = await vtn.call("POST", "/events", event(program_id, intervals=limit))
    assert answer.status == 201
    assert "Gridctl-Not-Acted-On" not in answer.headers
    (request,) = vtn.desk.submitted
    assert (request.target_kw, request.export_max_kw) == (0.0, 200.0)
    (kept,) = await vtn.store.requests()
    assert kept == request
    row = (await vtn.store.audit_rows(limit=1))[0]
    assert row.entry.result == "asks for at most 200 kW of export in 1 interval(s)"


async def test_texts_come_back_as_they_came(vtn: Vtn, program_id: str) -> None:
    sent = event(
        program_id,
        intervalPeriod={"start": "0001-01-01T00:00:00", "duration": "P9999Y"},
        duration="P9999Y",
        targets=[],
        reportDescriptors=None,
    )
    answer = await vtn.call("POST", "/events", sent)
    assert answer.status == 201
    assert "no end" in answer.headers["Gridctl-Not-Acted-On"]
    made = await answer.json()
    assert sent.items() <= made.items()
    again = await (await vtn.call("GET", f"/events/{made['id']}")).json()
    assert again == made
    # what GET says may be PUT back without a change
    assert (await vtn.call("PUT", f"/events/{made['id']}", again)).status == 200
    assert vtn.desk.submitted == []


async def test_what_we_cannot_act_on_is_kept_and_audited(vtn: Vtn, program_id: str) -> None:
    body = event(program_id)
    body["intervals"] = [{"id": 0, "payloads": [{"type": "PRICE", "values": [0.3]}]}]
    answer = await vtn.call("POST", "/events", body)
    assert answer.status == 201
    assert answer.headers["Gridctl-Not-Acted-On"].startswith("PRICE:")
    row = (await vtn.store.audit_rows(limit=1))[0]
    assert row.entry.result.startswith("not acted on: PRICE")
    assert vtn.desk.submitted == []
    assert len(await (await vtn.call("GET", "/events")).json()) == 1


async def test_what_the_desk_refuses_is_kept_and_told(vtn: Vtn, program_id: str) -> None:
    vtn.desk.refusal = Refusal(code="full", reasons=("too many requests",))
    answer = await vtn.call("POST", "/events", event(program_id))
    assert answer.status == 201
    assert answer.headers["Gridctl-Not-Acted-On"] == "too many requests"
    row = (await vtn.store.audit_rows(limit=1))[0]
    assert row.entry.result == "not acted on: too many requests"


async def test_a_change_reaches_the_desk(vtn: Vtn, program_id: str) -> None:
    made = await vtn.made("/events", event(program_id))
    answer = await vtn.call("PUT", f"/events/{made['id']}", event(program_id, 250))
    assert answer.status == 200
    assert [r.target_kw for r in vtn.desk.submitted] == [400.0, 250.0]
    assert vtn.desk.submitted[0].mrid == vtn.desk.submitted[1].mrid
    assert vtn.desk.cancelled == []


async def test_fewer_intervals_withdraw_the_rest(vtn: Vtn, program_id: str) -> None:
    one = {"payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [100]}]}
    three = event(program_id, intervals=[{"id": n, **one} for n in range(3)])
    made = await vtn.made("/events", three)
    starts = [r.start_s for r in vtn.desk.submitted]
    assert starts == [FOUR_PM_S, FOUR_PM_S + 7200, FOUR_PM_S + 14400]
    await vtn.call("PUT", f"/events/{made['id']}", event(program_id, intervals=[{"id": 0, **one}]))
    assert vtn.desk.cancelled == [made["id"]]
    open_ones = await vtn.store.requests(states=[RequestState.RECEIVED])
    assert [r.mrid for r in open_ones] == [f"{made['id']}-0"]


@pytest.mark.parametrize("way", ["delete", "now for no time"])
async def test_a_cancelled_event_is_withdrawn(vtn: Vtn, program_id: str, way: str) -> None:
    made = await vtn.made("/events", event(program_id))
    if way == "delete":
        answer = await vtn.call("DELETE", f"/events/{made['id']}")
        assert await answer.json() == made
        assert (await vtn.call("GET", f"/events/{made['id']}")).status == 404
        await vtn.call("DELETE", f"/events/{made['id']}")
    else:
        period = {"start": "0001-01-01T00:00:00Z", "duration": "PT0S"}
        body = event(program_id, intervalPeriod=period)
        answer = await vtn.call("PUT", f"/events/{made['id']}", body)
        assert "cancelled" in answer.headers["Gridctl-Not-Acted-On"]
    assert answer.status == 200
    assert vtn.desk.cancelled == [made["id"]]
    assert len(vtn.desk.submitted) == 1


async def test_an_event_that_ends_while_it_is_deleted(vtn: Vtn, program_id: str) -> None:
    made = await vtn.made("/events", event(program_id))
    vtn.desk.all_over = True
    assert (await vtn.call("DELETE", f"/events/{made['id']}")).status == 200


async def test_an_event_needs_its_program(vtn: Vtn, program_id: str) -> None:
    assert (await vtn.call("POST", "/events", event("program-none"))).status == 409
    made = await vtn.made("/events", event(program_id))
    answer = await vtn.call("PUT", f"/events/{made['id']}", event("program-none"))
    assert answer.status == 409
    assert (await vtn.call("POST", "/events", event("not an id"))).status == 400
    assert len(vtn.desk.submitted) == 1


async def test_lists(vtn: Vtn, program_id: str) -> None:
    other = (await vtn.made("/programs", program("Other")))["id"]
    first = await vtn.made("/events", event(program_id))
    over = await vtn.made(
        "/events",
        event(other, intervalPeriod={"start": "2026-08-05T08:00:00Z", "duration": "PT1H"}),
    )
    aimed = await vtn.made("/events", event(other, targets=["group-1"]))

    async def ids(query: str, who: str = "bl") -> list[str]:
        answer = await vtn.call("GET", f"/events?{query}", who=who)
        assert answer.status == 200
        return [found["id"] for found in await answer.json()]

    assert await ids("") == [first["id"], over["id"], aimed["id"]]
    assert await ids(f"programID={other}") == [over["id"], aimed["id"]]
    assert await ids("active=true") == [first["id"], aimed["id"]]
    assert await ids("targets=group-1") == [aimed["id"]]
    assert await ids("", who="ven") == [first["id"], over["id"]]
    assert await ids("skip=1&limit=1") == [over["id"]]
    assert (await vtn.call("GET", f"/events/{aimed['id']}", who="ven")).status == 404
    for query in ("limit=51", "active=yes", "programID=a%20b"):
        assert (await vtn.call("GET", f"/events?{query}")).status == 400, query
    vtn.clock.advance(8 * 3600)
    vtn.tokens["bl"] = await vtn.token("bl")
    assert await ids("active=true") == []


BAD_EVENTS: list[dict[str, object]] = [
    {"programID": None},
    {"priority": -1},
    {"priority": 1.5},
    {"intervals": [{"id": "0", "payloads": []}]},
    {"intervals": [{"payloads": []}]},
    {"intervals": [{"id": 0}]},
    {"intervals": [{"id": 0, "payloads": [{"type": "PRICE", "values": [None]}]}]},
    {"intervals": [{"id": 0, "payloads": [{"type": "", "values": [1]}]}]},
    {"intervals": [{"id": n, "payloads": []} for n in range(1001)]},
    {"duration": "P"},
    {"duration": 3600},
]


async def test_bad_events(vtn: Vtn, program_id: str) -> None:
    for more in BAD_EVENTS:
        answer = await vtn.call("POST", "/events", event(program_id) | more)
        assert answer.status == 400, more
    assert vtn.desk.submitted == []
