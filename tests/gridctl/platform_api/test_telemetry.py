"""Telemetry item by item, and exports that a spreadsheet may open."""

from __future__ import annotations

from gridctl.model.alarm import Alarm, AlarmState
from tests.gridctl.openadr.vtn import NOON_S
from tests.gridctl.platform_api.house import House


def item(resource: str, **more: object) -> dict[str, object]:
    return {"resourceId": resource, "time": "2026-08-05T11:45:00Z", "value": 12.5, **more}


async def test_each_reading_is_answered_for_itself(house: House) -> None:
    mine = await house.resource(openadrResource=await house.ven_resource())
    other = await house.resource("other", device="GRP1")
    items = [
        item(mine),
        item(mine),
        item(mine, time="2026-08-05T11:50:00+00:00", quality="questionable", estimated=True),
        item(other),
        item(mine, value="much"),
        item(mine, time="2026-07-01T00:00:00Z"),
        item(mine, time="2026-08-06T00:00:00Z"),
        {},
    ]
    told = await house.told("POST", "/telemetry", {"items": items}, who="ven")
    assert [i["result"] for i in told["items"]] == [
        "stored", "known", "stored", "refused", "refused", "refused", "refused", "refused",
    ]  # fmt: skip
    assert (told["stored"], told["known"], told["refused"]) == (2, 1, 5)
    again = await house.told("POST", "/telemetry", {"items": items[:3]}, who="ven")
    assert again["known"] == 3
    found = await house.told("GET", f"/measurements?resourceId={mine}", who="ven")
    assert [(m["value"], m["quality"], m["origin"], m["ageS"]) for m in found["items"]] == [
        (12.5, "good", "process", 900.0),
        (12.5, "questionable", "estimated", 600.0),
    ]
    assert (await house.call("GET", f"/measurements?resourceId={mine}", who="ven2")).status == 404
    assert (await house.call("GET", "/measurements?point=FDR.TotW", who="ven")).status == 403


async def test_exports_as_json_and_csv(house: House) -> None:
    await house.dispatch(name="=cmd()")
    alarm = Alarm(
        key="stop", priority=1, text="STOP", response="resume", raised_s=NOON_S,
        cleared_s=None, acked_by=None, state=AlarmState.UNACKED,
    )  # fmt: skip
    async with house.store.transaction() as unit:
        await unit.put_alarm(alarm, at_s=NOON_S)
    told = await house.told("GET", "/exports/alarms")
    assert told["items"][0]["raised"] == "2026-08-05T12:00:00.000Z"
    answer = await house.call("GET", "/exports/dispatches?format=csv")
    assert answer.content_type == "text/csv"
    text = await answer.text()
    assert await (await house.call("GET", "/exports/dispatches", Accept="text/csv")).text() == text
    header, row = text.split("\r\n")[:2]
    assert header == "id,event,name,source,start,end,targetKw,exportMaxKw,state"
    assert ",'=cmd()," in row
    assert (await house.told("GET", "/exports/plans"))["items"] == []
    assert (await house.told("GET", "/exports/commands"))["items"] == []
    assert (await house.call("GET", "/exports/passwords")).status == 404
    assert (await house.call("GET", "/exports/plans?format=xml")).status == 400
