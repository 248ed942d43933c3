"""A dispatch reaches a VEN when people have approved its plan, follows its changes, and goes."""

from __future__ import annotations

from gridctl.model.plan import PlanState
from gridctl.platform_api.ven_events import VenEvents
from tests.gridctl.openadr.vtn import BASE as OPENADR
from tests.gridctl.openadr.vtn import NOON_S
from tests.gridctl.platform_api.house import House
from tests.gridctl.store.examples import plan


async def events(house: House, who: str = "ven") -> list[dict[str, object]]:
    found = await (await house.call("GET", f"{OPENADR}/events", who=who)).json()
    assert isinstance(found, list)
    return found


async def approve(house: House, dispatch: str) -> None:
    """A plan that answers `dispatch`, approved by two."""
    async with house.store.transaction() as unit:
        await unit.add_plan(plan("P-1", requests=(dispatch,)), PlanState.PROPOSED, NOON_S)
        await unit.move_plan(
            "P-1", expected=PlanState.PROPOSED, to=PlanState.APPROVED, at_s=NOON_S, reason=""
        )


async def test_from_approval_to_report(house: House) -> None:
    carrier = VenEvents(store=house.store, clock=house.clock, told=lambda: None)
    resource = await house.resource(openadrResource=await house.ven_resource())
    await house.enrolled(resource, commitmentKw=42)
    made = await house.dispatch()
    await carrier.step()
    assert await events(house) == []  # nobody has approved anything
    await approve(house, made["id"])
    await carrier.step()
    await carrier.step()
    (event,) = await events(house)
    assert event["targets"] == [f"gridctl-{resource}"]
    assert event["intervals"] == [
        {"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [42]}]}
    ]
    assert await events(house, "ven2") == []
    path = f"/dispatch-requests/{made['id']}"
    await house.told("POST", f"{path}/extend", {"end": "2026-08-05T19:00:00Z", "reason": "hot"})
    await carrier.step()
    (event,) = await events(house)
    assert event["intervalPeriod"] == {"start": "2026-08-05T16:00:00Z", "duration": "PT10800S"}

    outcome = f"{path}/outcome"
    told = (await house.told("GET", outcome))["participants"][0]
    assert told["outcome"] == "pending"
    house.clock.grid_s = NOON_S + 8 * 3_600.0
    told = (await house.told("GET", outcome))["participants"][0]
    assert told["outcome"] == "no_response"
    report = {
        "eventID": event["id"],
        "clientName": "site-7",
        "payloadDescriptors": [
            {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": "READING", "units": "KW"}
        ],
        "resources": [
            {
                "resourceName": "rink",
                "intervalPeriod": {"start": "2026-08-05T16:00:00Z", "duration": "PT15M"},
                "intervals": [
                    {"id": 0, "payloads": [{"type": "READING", "values": [11.0]}]},
                    {
                        "id": 1,
                        "payloads": [
                            {"type": "READING", "values": [12.0]},
                            {"type": "DATA_QUALITY", "values": ["ESTIMATED"]},
                        ],
                    },
                ],
            }
        ],
    }
    await house.made(f"{OPENADR}/reports", report, who="ven")
    told = (await house.told("GET", outcome))["participants"][0]
    assert told["outcome"] == "took_part"
    found = await house.told(
        "GET",
        f"/measurements?resourceId={resource}&quantity=READING"
        "&start=2026-08-05T00:00:00Z&end=2026-08-06T00:00:00Z",
    )
    assert [(m["time"], m["value"], m["quality"], m["origin"]) for m in found["items"]] == [
        ("2026-08-05T16:00:00.000Z", 11.0, "good", "process"),
        ("2026-08-05T16:15:00.000Z", 12.0, "good", "estimated"),
    ]
    assert found["items"][0]["ageS"] == 4 * 3_600.0


async def test_it_goes_with_the_dispatch_or_with_the_participant(house: House) -> None:
    carrier = VenEvents(store=house.store, clock=house.clock, told=lambda: None)
    resource = await house.resource(openadrResource=await house.ven_resource())
    probe = await house.dispatch(test="communication", targetKw=None, resources=[resource])
    await carrier.step()
    (event,) = await events(house)
    assert event["eventName"] == "TEST hot afternoon"
    (mine,) = (await house.told("GET", "/participations", who="ven"))["items"]
    path = f"/participations/{mine['id']}"
    tag = await house.tag(path, who="ven")
    body = {"answer": "opt_out", "reason": "not now"}
    await house.told("PUT", path, body, who="ven", If_Match=tag)
    await carrier.step()
    assert await events(house) == []
    told = await house.told("GET", f"/dispatch-requests/{probe['id']}/outcome")
    assert told["participants"][0]["outcome"] == "rejected"
    assert told["participants"][0]["detail"] == "declined by the participant: not now"
    other = await house.dispatch(test="communication", targetKw=None, resources=[resource])
    await carrier.step()
    assert len(await events(house)) == 1
    await house.told("POST", f"/dispatch-requests/{other['id']}/cancel", {"reason": "enough"})
    await carrier.step()
    assert await events(house) == []
