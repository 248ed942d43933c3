"""Dispatch requests: once for each key, changed and cancelled before and while they run."""

from __future__ import annotations

import asyncio

import pytest

from gridctl.model.errors import Refusal
from gridctl.model.program import RequestState
from tests.gridctl.openadr.vtn import NOON_S
from tests.gridctl.platform_api.house import House

HOUR_S = 3_600.0
BODY = {
    "name": "hot afternoon",
    "start": "2026-08-05T16:00:00Z",
    "end": "2026-08-05T18:00:00Z",
    "targetKw": 400,
}
PATH = "/dispatch-requests"


async def test_a_dispatch_goes_to_the_desk_and_nowhere_else(house: House) -> None:
    made = await house.dispatch()
    (request,) = house.desk.submitted
    assert (request.mrid, request.event_id, request.source) == (made["id"], made["id"], "bl")
    assert (request.target_kw, request.start_s) == (400.0, NOON_S + 4 * HOUR_S)
    assert made["state"] == "received"
    assert made["modificationNumber"] == 1


async def test_the_key_is_needed_and_means_one_dispatch(house: House) -> None:
    told = await house.told("POST", PATH, BODY, status=400)
    assert told["type"] == "urn:gridctl:problem:no_key"
    first = await house.call("POST", PATH, BODY, Idempotency_Key="a")
    again = await house.call("POST", PATH, BODY, Idempotency_Key="a")
    assert (first.status, again.status) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await first.json() == await again.json()
    assert len(house.desk.submitted) == 1
    other = {**BODY, "targetKw": 500}
    told = await house.told("POST", PATH, other, status=422, Idempotency_Key="a")
    assert told["type"] == "urn:gridctl:problem:key_reused"


async def test_two_at_once_with_one_key_are_one(house: House) -> None:
    answers = await asyncio.gather(
        *(house.call("POST", PATH, BODY, Idempotency_Key="a") for _ in range(4))
    )
    assert sorted(a.status for a in answers)[0] == 201
    assert {a.status for a in answers} <= {201, 409}
    assert len(house.desk.submitted) == 1


async def test_a_key_whose_answer_was_lost_makes_the_same_dispatch(house: House) -> None:
    made = await house.made(PATH, BODY, Idempotency_Key="a")
    # we fell after the dispatch was kept and before its answer was
    await house.store.platform.settle_key("bl", "a", status=None, answer="")
    again = await house.made(PATH, BODY, Idempotency_Key="a")
    assert again["id"] == made["id"]


async def test_a_refused_one_leaves_its_key_free(house: House) -> None:
    late = {**BODY, "end": "2026-08-05T11:00:00Z", "start": "2026-08-05T10:00:00Z"}
    told = await house.told("POST", PATH, late, status=422, Idempotency_Key="a")
    assert told["errors"] == [{"field": "end", "message": "has passed"}]
    await house.made(PATH, BODY, Idempotency_Key="a")
    house.desk.refusal = Refusal(code="closed", reasons=("the desk is closed",))
    told = await house.told("POST", PATH, BODY, status=422, Idempotency_Key="b")
    assert (told["type"], told["detail"]) == ("urn:gridctl:problem:refused", "the desk is closed")


async def test_changes_before_and_while_it_runs(house: House) -> None:
    made = await house.dispatch()
    path = f"{PATH}/{made['id']}"
    less = {"targetKw": 300, "start": "2026-08-05T15:00:00Z", "reason": "cooler than forecast"}
    assert (await house.call("PATCH", path, less)).status == 428
    after = await house.told("PATCH", path, less, If_Match=await house.tag(path))
    assert (after["modificationNumber"], after["targetKw"]) == (2, 300)
    house.clock.grid_s = NOON_S + 3.5 * HOUR_S
    moved = {"start": "2026-08-05T15:45:00Z", "reason": "a bit later"}
    told = await house.told("PATCH", path, moved, status=422, If_Match=await house.tag(path))
    assert told["errors"] == [{"field": "start", "message": "it has begun: its start stays"}]
    longer = {"end": "2026-08-05T19:00:00Z", "reason": "still hot"}
    after = await house.told("POST", f"{path}/extend", longer)
    assert after["end"] == "2026-08-05T19:00:00Z"
    assert house.desk.submitted[-1].end_s == NOON_S + 7 * HOUR_S
    shorter = {"end": "2026-08-05T18:30:00Z", "reason": "no"}
    assert (await house.call("POST", f"{path}/extend", shorter)).status == 400  # reason too short
    told = await house.told("POST", f"{path}/extend", {**shorter, "reason": "why not"}, status=422)
    assert told["errors"][0]["field"] == "end"
    versions = (await house.told("GET", f"{path}/versions"))["items"]
    assert [(v["modificationNumber"], v["reason"]) for v in versions] == [
        (1, ""),
        (2, "cooler than forecast"),
        (3, "still hot"),
    ]


@pytest.mark.parametrize("hours", [0.0, 5.0])
async def test_cancelled_before_and_while_it_runs(house: House, hours: float) -> None:
    made = await house.dispatch()
    house.clock.grid_s = NOON_S + hours * HOUR_S
    path = f"{PATH}/{made['id']}"
    after = await house.told("POST", f"{path}/cancel", {"reason": "storm has passed"})
    assert after["state"] == "cancelled"
    assert after["cancelled"]["by"] == "bl"
    assert house.desk.cancelled == [made["id"]]
    (request,) = await house.store.requests()
    assert request.state is RequestState.CANCELLED
    told = await house.told("POST", f"{path}/cancel", {"reason": "again"}, status=409)
    assert told["type"] == "urn:gridctl:problem:wrong_state"


async def test_what_is_over_stays(house: House) -> None:
    made = await house.dispatch()
    house.clock.grid_s = NOON_S + 7 * HOUR_S
    path = f"{PATH}/{made['id']}"
    body = {"targetKw": 1, "reason": "late idea"}
    assert (await house.call("PATCH", path, body, If_Match="*")).status == 409


async def test_tests(house: House) -> None:
    resource = await house.resource(device="GRP1")
    await house.enrolled(resource, commitmentKw=35.5)
    probe = await house.dispatch(test="communication", targetKw=None)
    assert house.desk.submitted == []
    assert probe["state"] == "active"
    capacity = await house.dispatch(test="capacity", targetKw=None)
    assert capacity["targetKw"] == 35.5
    assert house.desk.submitted[-1].name == "TEST hot afternoon"
    missing = {**BODY, "test": "integration", "targetKw": None}
    assert (await house.call("POST", PATH, missing, Idempotency_Key="t")).status == 400


async def test_who_is_asked(house: House) -> None:
    one = await house.resource("one", device="GRP1")
    two = await house.resource("two", device="GRP2")
    three = await house.resource("three")
    await house.enrolled(one, acknowledgeWithinS=60)
    await house.enrolled(two, program="winter")
    group = await house.made(
        "/der-groups", {"Names": [{"name": "west"}], "EndDevices": [{"mRID": three}]}
    )

    async def asked(**more: object) -> list[str]:
        made = await house.dispatch(**more)
        told = await house.told("GET", f"/participations?dispatchId={made['id']}")
        return [p["resourceId"] for p in told["items"]]

    assert await asked() == [one, two]
    assert await asked(program="winter") == [two]
    assert await asked(group=group["id"], test="communication") == [three]
    assert await asked(resources=[two, three, two]) == [two, three]
    # their devices alone may answer; who names nobody asks the whole feeder
    assert [r.devices for r in house.desk.submitted] == [None, None, ("GRP2",)]
    (last,) = (await house.told("GET", f"{PATH}?limit=200"))["items"][-1:]
    longer = {"end": "2026-08-05T19:00:00Z", "reason": "hot"}
    await house.told("POST", f"{PATH}/{last['id']}/extend", longer)
    assert house.desk.submitted[-1].devices == ("GRP2",)
    nobody = {**BODY, "group": group["id"]}
    told = await house.told("POST", PATH, nobody, status=422, Idempotency_Key="n")
    assert told["errors"][0]["field"] == "group"
    assert "send their VENs an OpenADR event" in told["detail"]
    wrong = {**BODY, "group": "GRP-0"}
    told = await house.told("POST", PATH, wrong, status=422, Idempotency_Key="g")
    assert told["errors"][0]["field"] == "group"


async def test_a_participant_answers_in_time_or_is_overdue(house: House) -> None:
    resource = await house.resource(device="GRP1")
    await house.enrolled(resource, acknowledgeWithinS=60)
    made = await house.dispatch()
    (mine,) = (await house.told("GET", f"/participations?dispatchId={made['id']}"))["items"]
    assert (mine["acknowledgement"], mine["answer"]) == ("open", None)
    assert mine["acknowledgeBy"] == "2026-08-05T12:01:00.000Z"
    house.clock.grid_s += 61.0
    path = f"/participations/{mine['id']}"
    assert (await house.told("GET", path))["acknowledgement"] == "overdue"
    body = {"answer": "opt_out", "reason": "compressor is down"}
    after = await house.told("PUT", path, body, If_Match=await house.tag(path))
    assert (after["acknowledgement"], after["answer"]) == ("given", "opt_out")
    terms = {t.id: t for t in await house.store.platform.terms()}
    (window,) = terms[mine["id"]].windows
    assert window.reason == "opted out of hot afternoon: compressor is down"
    assert (window.start_s, window.end_s) == (NOON_S + 4 * HOUR_S, NOON_S + 6 * HOUR_S)
    back = {"answer": "opt_in"}
    await house.told("PUT", path, back, If_Match=await house.tag(path))
    assert mine["id"] not in {t.id for t in await house.store.platform.terms()}


async def test_a_ven_answers_for_its_own_alone(house: House) -> None:
    resource = await house.resource(openadrResource=await house.ven_resource())
    other = await house.resource("other", device="GRP1")
    await house.dispatch(resources=[resource, other])
    (mine,) = (await house.told("GET", "/participations", who="ven"))["items"]
    assert mine["resourceId"] == resource
    path = f"/participations/{mine['id']}"
    answer = await house.call("PUT", path, {"answer": "opt_in"}, who="ven2", If_Match="*")
    assert answer.status == 404
    answer = await house.call(
        "PUT", path, {"answer": "opt_in"}, who="ven", If_Match=await house.tag(path, who="ven")
    )
    assert answer.status == 200
    assert (await house.call("POST", PATH, BODY, who="ven", Idempotency_Key="v")).status == 403
    assert (await house.call("GET", PATH, who="ven")).status == 403
