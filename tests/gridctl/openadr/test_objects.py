"""VENs, resources, reports: whose they are, who sees them, and what the server says of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gridctl.openadr.vtn import SECRET, Vtn, event, program

pytestmark = pytest.mark.asyncio


async def second_ven(vtn: Vtn) -> str:
    await vtn.store.openadr.add_client("ven2", "ven", SECRET)
    vtn.tokens["ven2"] = await vtn.token("ven2")
    return "ven2"


async def posted(vtn: Vtn, path: str, body: object, who: str) -> dict[str, Any]:
    answer = await vtn.call("POST", path, body, who=who)
    assert answer.status == 201, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def listed(vtn: Vtn, path: str, who: str) -> list[dict[str, Any]]:
    answer = await vtn.call("GET", path, who=who)
    assert answer.status == 200, await answer.text()
    found: list[dict[str, Any]] = await answer.json()
    return found


def report(event_id: str, **more: object) -> dict[str, object]:
    return {
        "eventID": event_id,
        "clientName": "site 7",
        "resources": [
            {
                "resourceName": "meter",
                "intervals": [{"id": 0, "payloads": [{"type": "USAGE", "values": [12.5]}]}],
            }
        ],
        **more,
    }


async def test_a_ven_makes_itself_known_and_business_logic_grants_targets(vtn: Vtn) -> None:
    made = await posted(vtn, "/vens", {"objectType": "VEN_VEN_REQUEST", "venName": "mill"}, "ven")
    assert made["objectType"] == "VEN"
    assert (made["clientID"], made["targets"], made["attributes"]) == ("ven", [], None)
    granted = {
        "objectType": "BL_VEN_REQUEST",
        "clientID": "ven",
        "venName": "mill",
        "targets": ["north", "big"],
    }
    answer = await vtn.call("PUT", f"/vens/{made['id']}", granted)
    assert (await answer.json())["targets"] == ["north", "big"]
    renamed = {"venName": "mill 2", "targets": ["everything"]}
    answer = await vtn.call("PUT", f"/vens/{made['id']}", renamed, who="ven")
    assert (await answer.json())["targets"] == ["north", "big"], "a VEN grants itself nothing"


async def test_object_type_may_be_left_out_and_must_not_lie(vtn: Vtn) -> None:
    await posted(vtn, "/vens", {"venName": "mill"}, "ven")
    answer = await vtn.call(
        "POST",
        "/vens",
        {"objectType": "BL_VEN_REQUEST", "venName": "x", "clientID": "ven"},
        who="ven",
    )
    assert answer.status == 403
    answer = await vtn.call("POST", "/vens", {"venName": "x"})
    assert answer.status == 400
    assert "clientID" in (await answer.json())["detail"]


async def test_one_ven_a_client_and_names_are_unique(vtn: Vtn) -> None:
    await second_ven(vtn)
    await posted(vtn, "/vens", {"venName": "mill"}, "ven")
    assert (await vtn.call("POST", "/vens", {"venName": "mill"}, who="ven2")).status == 409
    assert (await vtn.call("POST", "/vens", {"venName": "other"}, who="ven")).status == 409


async def test_what_is_anothers_is_not_there(vtn: Vtn) -> None:
    other = await second_ven(vtn)
    mine = await posted(vtn, "/vens", {"venName": "mill"}, "ven")
    assert await listed(vtn, "/vens", other) == []
    for method in ("GET", "DELETE"):
        assert (await vtn.call(method, f"/vens/{mine['id']}", who=other)).status == 404
    stolen = {"resourceName": "oven", "venID": mine["id"]}
    assert (await vtn.call("POST", "/resources", stolen, who=other)).status == 409
    assert [one["id"] for one in await listed(vtn, "/vens", "bl")] == [mine["id"]]


async def test_resources_know_their_ven_in_both_shapes(vtn: Vtn) -> None:
    ven = await posted(vtn, "/vens", {"venName": "mill"}, "ven")
    full = {"objectType": "VEN_RESOURCE_REQUEST", "resourceName": "oven", "venID": ven["id"]}
    first = await posted(vtn, "/resources", full, "ven")
    second = await posted(vtn, "/resources", {"resourceName": "pump"}, "ven")
    third = await posted(
        vtn,
        "/resources",
        {"objectType": "BL_RESOURCE_REQUEST", "resourceName": "fan", "venID": ven["id"]},
        "bl",
    )
    assert {one["venID"] for one in (first, second, third)} == {ven["id"]}
    assert {one["clientID"] for one in (first, second, third)} == {"ven"}
    assert (await vtn.call("POST", "/resources", full, who="ven")).status == 409
    assert len(await listed(vtn, f"/resources?venID={ven['id']}", "ven")) == 3
    assert len(await listed(vtn, "/resources?resourceName=oven", "bl")) == 1


async def test_a_ven_takes_its_resources_along(vtn: Vtn) -> None:
    ven = await posted(vtn, "/vens", {"venName": "mill"}, "ven")
    await posted(vtn, "/resources", {"resourceName": "oven"}, "ven")
    answer = await vtn.call("DELETE", f"/vens/{ven['id']}", who="ven")
    assert (answer.status, (await answer.json())["id"]) == (200, ven["id"])
    assert await listed(vtn, "/resources", "bl") == []


async def test_a_resource_without_a_ven(vtn: Vtn) -> None:
    answer = await vtn.call("POST", "/resources", {"resourceName": "oven"}, who="ven")
    assert answer.status == 409
    answer = await vtn.call("POST", "/resources", {"resourceName": "oven"})
    assert answer.status == 400


async def test_targets_hide_objects_and_themselves(vtn: Vtn) -> None:
    await second_ven(vtn)
    grant = {"objectType": "BL_VEN_REQUEST", "clientID": "ven", "venName": "mill"}
    ven = await posted(vtn, "/vens", {**grant, "targets": ["north"]}, "bl")
    resource = {"objectType": "BL_RESOURCE_REQUEST", "resourceName": "oven", "venID": ven["id"]}
    await posted(vtn, "/resources", {**resource, "targets": ["ovens"]}, "bl")
    made = await vtn.made("/programs", program())
    ids = {}
    for name, targets in {
        "all": [],
        "n": ["north", "south"],
        "o": ["ovens"],
        "s": ["south"],
    }.items():
        body = event(made["id"], eventName=name, targets=targets)
        ids[name] = (await vtn.made("/events", body))["id"]
    seen = {one["eventName"]: one["targets"] for one in await listed(vtn, "/events", "ven")}
    assert seen == {"all": [], "n": ["north"], "o": ["ovens"]}
    named = await listed(vtn, "/events?targets=ovens&targets=south", "ven")
    assert {one["eventName"]: one["targets"] for one in named} == {"o": ["ovens"]}
    assert [one["eventName"] for one in await listed(vtn, "/events", "ven2")] == ["all"]
    assert (await vtn.call("GET", f"/events/{ids['s']}", who="ven")).status == 404
    assert len(await listed(vtn, "/events?targets=south", "bl")) == 2


async def test_pages_are_cut_from_what_may_be_seen(vtn: Vtn) -> None:
    made = await vtn.made("/programs", program())
    for number in range(8):
        targets = ["hidden"] if number % 2 else []
        await vtn.made("/events", event(made["id"], eventName=str(number), targets=targets))
    page = await listed(vtn, "/events?skip=1&limit=2", "ven")
    assert [one["eventName"] for one in page] == ["2", "4"]
    assert (await vtn.call("GET", "/events?limit=51", who="ven")).status == 400


async def test_reports_are_a_vens_about_an_event_that_it_sees(vtn: Vtn) -> None:
    other = await second_ven(vtn)
    made = await vtn.made("/programs", program())
    open_event = await vtn.made("/events", event(made["id"]))
    hidden = await vtn.made("/events", event(made["id"], targets=["south"]))
    mine = await posted(vtn, "/reports", report(open_event["id"]), "ven")
    assert mine["clientID"] == "ven"
    assert "targets" not in mine
    assert (await vtn.call("POST", "/reports", report(hidden["id"]), who="ven")).status == 409
    assert (await vtn.call("POST", "/reports", report("nothing"), who="ven")).status == 409
    assert (await vtn.call("POST", "/reports", report(open_event["id"]))).status == 403
    assert await listed(vtn, "/reports", other) == []
    assert len(await listed(vtn, f"/reports?programID={made['id']}", "bl")) == 1
    assert await listed(vtn, "/reports?clientName=nobody", "bl") == []
    await vtn.call("DELETE", f"/events/{open_event['id']}")
    kept = await vtn.call("GET", f"/reports/{mine['id']}", who="ven")
    assert kept.status == 200, "a report outlives its event"
    changed = report(open_event["id"], reportName="late")
    assert (await vtn.call("PUT", f"/reports/{mine['id']}", changed, who="ven")).status == 200


async def test_what_changes_nothing_is_no_change(vtn: Vtn) -> None:
    made = await vtn.made("/programs", program("P"))
    answer = await vtn.call("PUT", f"/programs/{made['id']}", program("P"))
    assert (await answer.json())["modificationDateTime"] == made["modificationDateTime"]
    answer = await vtn.call("PUT", f"/programs/{made['id']}", program("Q"))
    assert (await answer.json())["modificationDateTime"] > made["modificationDateTime"]


async def test_etags_are_of_what_the_reader_sees(vtn: Vtn) -> None:
    made = await vtn.made("/programs", program("P"))
    path = f"/programs/{made['id']}"
    first = await vtn.call("GET", path)
    tag = first.headers["ETag"]
    assert first.headers["Vary"] == "Authorization"
    bl = {"Authorization": f"Bearer {vtn.tokens['bl']}"}
    url = f"/openadr3/3.1.0{path}"
    for said in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        known = await vtn.client.get(url, headers={**bl, "If-None-Match": said})
        assert (known.status, await known.text()) == (304, "")
    weak = await vtn.client.put(url, headers={**bl, "If-Match": f"W/{tag}"}, json=program("Q"))
    assert weak.status == 412, "If-Match compares strongly"
    stale = await vtn.client.put(url, headers={**bl, "If-Match": '"old"'}, json=program("Q"))
    assert stale.status == 412
    good = await vtn.client.put(url, headers={**bl, "If-Match": tag}, json=program("Q"))
    assert good.status == 200
    assert good.headers["ETag"] != tag


async def test_a_token_with_less_scope_may_do_less(vtn: Vtn) -> None:
    answer = await vtn.client.post(
        "/openadr3/3.1.0/auth/token",
        data={
            "grant_type": "client_credentials",
            "client_id": "bl",
            "client_secret": SECRET,
            "scope": "read_all",
        },
    )
    vtn.tokens["reader"] = (await answer.json())["access_token"]
    assert (await vtn.call("GET", "/programs", who="reader")).status == 200
    refused = await vtn.call("POST", "/programs", program(), who="reader")
    assert refused.status == 403
    assert "write_programs" in (await refused.json())["detail"]
    assert "insufficient_scope" in refused.headers["WWW-Authenticate"]


async def test_a_revoked_client_is_out_at_once(vtn: Vtn) -> None:
    assert await vtn.store.openadr.revoke_client("ven", at_s=vtn.clock.now_s())
    assert (await vtn.call("GET", "/vens", who="ven")).status == 401
    assert not await vtn.store.openadr.revoke_client("ven", at_s=vtn.clock.now_s())


async def test_tokens_are_given_out_at_a_measured_pace(vtn: Vtn) -> None:
    form = {"grant_type": "client_credentials", "client_id": "bl", "client_secret": SECRET}
    answers = [await vtn.client.post("/openadr3/3.1.0/auth/token", data=form) for _ in range(62)]
    assert answers[0].status == 200
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


async def test_notifiers_say_webhook_and_topics_are_not_here(vtn: Vtn) -> None:
    assert await (await vtn.call("GET", "/notifiers", who="ven")).json() == {"WEBHOOK": True}
    base = "/notifiers/mqtt/topics"
    assert (await vtn.call("GET", f"{base}/programs", who="ven")).status == 404
    assert (await vtn.call("GET", f"{base}/events", who="ven")).status == 403
    assert (await vtn.call("GET", f"{base}/events")).status == 404
