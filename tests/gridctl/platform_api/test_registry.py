"""Customers to enrolments: kept, changed with a proof of what was read, hidden from others."""

from __future__ import annotations

import pytest

from tests.gridctl.platform_api.house import House, running_house


async def test_an_enrolment_from_customer_to_limits(house: House) -> None:
    resource = await house.resource(device="GRP1")
    made = await house.enrolled(
        resource,
        callsPerDay=1,
        callsPerWeek=2,
        noticeS=600,
        commitmentKw=50,
        blackouts=[{"start": "2026-08-06T00:00:00Z", "end": "2026-08-07T00:00:00Z"}],
        weeklyBlackouts=[{"weekdays": [6], "fromS": 0, "toS": 86400, "reason": "Sunday"}],
    )
    (terms,) = await house.store.platform.terms()
    assert (terms.id, terms.device) == (made["id"], "GRP1")
    assert (terms.calls_per_day_max, terms.calls_per_week_max) == (1, 2)
    assert terms.windows[0].reason == f"blackout of {made['id']}"
    assert terms.weekly[0].reason == "Sunday"


async def test_an_enrolment_that_is_not_active_withdraws_its_device(house: House) -> None:
    resource = await house.resource(device="GRP1")
    made = await house.enrolled(resource, state="requested")
    (terms,) = await house.store.platform.terms()
    assert terms.windows[0].reason == f"enrolment {made['id']} is requested"
    path = f"/enrolments/{made['id']}"
    body = {"resourceId": resource, "program": "peak", "state": "suspended"}
    refused = await house.told("PUT", path, body, status=409, If_Match=await house.tag(path))
    assert refused["type"] == "urn:gridctl:problem:wrong_state"
    assert refused["errors"][0]["field"] == "state"
    active = {**body, "state": "active"}
    after = await house.told("PUT", path, active, If_Match=await house.tag(path))
    assert after["modificationNumber"] == 2
    (terms,) = await house.store.platform.terms()
    assert terms.windows == ()
    answer = await house.call("DELETE", path, If_Match=await house.tag(path))
    assert answer.status == 204
    assert await house.store.platform.terms() == []


async def test_a_resource_that_gets_another_device_takes_its_limits_along(house: House) -> None:
    resource = await house.resource(device="GRP1")
    await house.enrolled(resource, callsPerDay=1)
    path = f"/resources/{resource}"
    old = await house.told("GET", path)
    body = {"siteId": old["siteId"], "name": "ice rink", "device": "GRP2"}
    await house.told("PUT", path, body, If_Match=await house.tag(path))
    (terms,) = await house.store.platform.terms()
    assert terms.device == "GRP2"


async def test_what_was_read_has_to_be_proved(house: House) -> None:
    made = await house.made("/customers", {"name": "Rink"})
    path = f"/customers/{made['id']}"
    tag = await house.tag(path)
    missing = await house.told("PUT", path, {"name": "Ring"}, status=428)
    assert missing["type"] == "urn:gridctl:problem:no_match"
    await house.told("PUT", path, {"name": "Ring"}, If_Match=tag, Gridctl_Reason="new sign")
    assert (await house.call("PUT", path, {"name": "Rang"}, If_Match=tag)).status == 412
    assert (await house.call("DELETE", path, If_Match=tag)).status == 412
    assert (await house.call("GET", path, If_None_Match=await house.tag(path))).status == 304
    versions = (await house.told("GET", f"{path}/versions"))["items"]
    assert [(v["modificationNumber"], v["who"], v["reason"]) for v in versions] == [
        (1, "bl", ""),
        (2, "bl", "new sign"),
    ]


async def test_pages_are_walked_with_opaque_cursors(house: House) -> None:
    for number in range(5):
        await house.made("/customers", {"name": f"C{number}"})
    names, cursor = [], None
    while True:
        query = "?limit=2" + ("" if cursor is None else f"&cursor={cursor}")
        told = await house.told("GET", f"/customers{query}")
        names += [c["name"] for c in told["items"]]
        cursor = told["next"]
        if cursor is None:
            break
    assert names == [f"C{n}" for n in range(5)]
    told = await house.told("GET", "/customers?cursor=made-up", status=400)
    assert told["type"] == "urn:gridctl:problem:bad_cursor"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 3}, "name"),
        ({"name": "a", "colour": "red"}, "colour"),
        ([], "body"),
    ],
)
async def test_a_wrong_body_names_its_fields(house: House, body: object, field: str) -> None:
    told = await house.told("POST", "/customers", body, status=400)
    assert told["type"] == "urn:gridctl:problem:bad_body"
    assert [e["field"] for e in told["errors"]] == [field]


async def test_names_references_and_parts(house: House) -> None:
    customer = await house.made("/customers", {"name": "Rink"})
    assert (await house.told("POST", "/customers", {"name": "Rink"}, status=409))["code"] == (
        "name_taken"
    )
    await house.made("/sites", {"customerId": customer["id"], "name": "s"})
    path = f"/customers/{customer['id']}"
    told = await house.told("DELETE", path, status=409, If_Match=await house.tag(path))
    assert told["code"] == "in_use"
    nowhere = {"customerId": "CUS-0", "name": "s"}
    told = await house.told("POST", "/sites", nowhere, status=422)
    assert told["errors"][0]["field"] == "customerId"
    resource = await house.resource("pump")
    site = (await house.told("GET", f"/resources/{resource}"))["siteId"]
    told = await house.told(
        "POST", "/resources", {"siteId": site, "name": "x", "device": "NO"}, status=422
    )
    assert told["errors"][0] == {"field": "device", "message": "the feeder has no such device"}


async def test_a_group_is_named_as_iec_61968_5_has_it(house: House) -> None:
    resource = await house.resource(device="GRP1")
    made = await house.made(
        "/der-groups",
        {
            "Names": [{"name": "west", "nameType": "feeder zone"}],
            "DERFunction": {"realPowerDispatch": True},
            "EndDevices": [{"mRID": resource}],
        },
    )
    assert made["mRID"] == made["id"]
    assert made["EndDevices"] == [{"mRID": resource}]
    assert made["DERFunction"]["voltVarCurveFunction"] is False
    wrong = {"Names": [{"name": "east"}], "EndDevices": [{"mRID": "RES-0"}]}
    told = await house.told("POST", "/der-groups", wrong, status=422)
    assert told["errors"][0]["field"] == "EndDevices.0.mRID"


async def test_a_ven_sees_and_withdraws_its_own_alone(house: House) -> None:
    resource = await house.resource(openadrResource=await house.ven_resource())
    await house.resource("other", device="GRP1")
    mine = (await house.told("GET", "/resources", who="ven"))["items"]
    assert [r["id"] for r in mine] == [resource]
    assert (await house.told("GET", "/resources", who="ven2"))["items"] == []
    assert (await house.call("GET", f"/resources/{resource}", who="ven2")).status == 404
    assert (await house.call("POST", "/customers", {"name": "x"}, who="ven")).status == 403
    out = {
        "resourceId": resource,
        "name": "holiday",
        "start": "2026-08-10T00:00:00Z",
        "end": "2026-08-17T00:00:00Z",
    }
    await house.made("/opt-outs", out, who="ven")
    told = await house.told("POST", "/opt-outs", {**out, "name": "b"}, status=422, who="ven2")
    assert told["errors"][0]["field"] == "resourceId"


async def test_who_may_come_in(house: House) -> None:
    answer = await house.call("GET", "/customers", who=None)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == "application/problem+json"
    told = await answer.json()
    assert told["instance"] == f"urn:gridctl:request:{answer.headers['X-Request-Id']}"


async def test_every_answer_carries_its_name_and_what_is_left() -> None:
    async with running_house(per_s=0.5, burst=5) as house:
        answer = await house.call("GET", "/customers", X_Request_Id="order-66")
        assert answer.headers["X-Request-Id"] == "order-66"
        assert answer.headers["RateLimit-Policy"] == '"default";q=5;w=10'
        assert answer.headers["RateLimit"] == '"default";r=4;t=2'
        assert answer.headers["Cache-Control"] == "private, no-cache"
        for _ in range(4):
            assert (await house.call("GET", "/openapi.json", who="bl")).status == 200
        told = await house.call("GET", "/customers")
        assert (told.status, told.headers["Retry-After"]) == (429, "2")
        assert (await told.json())["type"] == "urn:gridctl:problem:too_many"
        assert (await house.call("GET", "/resources", who="ven")).status == 200
