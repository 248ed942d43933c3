"""People at the platform API: the console's session, its CSRF token, role and areas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from argon2 import PasswordHasher

from gridctl.web.auth import COOKIE_PLAIN, csrf_of
from tests.gridctl.platform_api.house import BASE, House, running_house

PASSWORD = "correct horse battery"
DISPATCH = {
    "name": "hot afternoon",
    "start": "2026-08-05T16:00:00Z",
    "end": "2026-08-05T18:00:00Z",
    "targetKw": 40,
}


@dataclass
class Person:
    """A browser that is signed in."""

    house: House
    token: str
    keys: int = 0

    async def call(
        self, method: str, path: str, body: object = None, *, csrf: bool = True, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        self.keys += 1
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Idempotency-Key"] = f"{self.token[:8]}-{self.keys}"
        sent["Cookie"] = f"{COOKIE_PLAIN}={self.token}"
        if csrf:
            sent["X-CSRF-Token"] = csrf_of(self.token)
        async with self.house.client.session.request(
            method, self.house.client.make_url(BASE + path), headers=sent, json=body
        ) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def open_house() -> AsyncIterator[House]:
    async with running_house(with_people=True) as house:
        house.store.users._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        yield house


async def person(house: House, role: str, areas: str = "*") -> Person:
    name = f"{role.lower()}-{areas}"
    await house.store.users.add_user(name, name, role, PASSWORD, areas=areas)
    return Person(house, await house.store.sessions.open(name, "127.0.0.1"))


async def test_a_write_needs_the_csrf_token_and_our_own_page(open_house: House) -> None:
    op = await person(open_house, "OPERATOR")
    status, told = await op.call("POST", "/customers", {"name": "mill"}, csrf=False)
    assert (status, told["type"]) == (403, "urn:gridctl:problem:csrf")
    elsewhere = "https://elsewhere.example"
    status, told = await op.call("POST", "/customers", {"name": "mill"}, Origin=elsewhere)
    assert (status, told["type"]) == (403, "urn:gridctl:problem:foreign_origin")
    status, told = await op.call("POST", "/customers", {"name": "mill"})
    assert (status, told["name"]) == (201, "mill")
    status, told = await op.call("GET", "/customers", csrf=False)
    assert (status, len(told["items"])) == (200, 1)
    row = (await open_house.store.audit_rows(limit=1))[0].entry
    assert (row.who, row.role, row.action) == (
        "operator-*",
        "OPERATOR",
        "platform.customer.create",
    )


async def test_who_may_only_look_changes_nothing(open_house: House) -> None:
    viewer = await person(open_house, "VIEWER")
    assert (await viewer.call("GET", "/customers"))[0] == 200
    assert (await viewer.call("POST", "/customers", {"name": "mill"}))[0] == 403
    assert (await viewer.call("POST", "/dispatch-requests", DISPATCH))[0] == 403
    async with open_house.client.session.post(
        open_house.client.make_url(f"{BASE}/customers"), json={"name": "x"}
    ) as answer:
        assert answer.status == 401


async def test_a_person_writes_about_the_areas_that_are_his(open_house: House) -> None:
    house = open_house
    everywhere, north = await person(house, "OPERATOR"), await person(house, "OPERATOR", "north")
    mine = await house.resource("one", device="GRP1")
    theirs = await house.resource("two", device="GRP2")
    both = {"Names": [{"name": "both"}], "EndDevices": [{"mRID": mine}, {"mRID": theirs}]}
    group = await house.made("/der-groups", both)

    async def status(who: Person, path: str, body: object, method: str = "POST") -> int:
        found, told = await who.call(method, path, body, If_Match="*")
        if found == 403:
            assert told["type"] == "urn:gridctl:problem:foreign_area"
            assert "south" in told["detail"]
        return found

    for body, wanted in (
        (DISPATCH, 403),
        ({**DISPATCH, "resources": [theirs]}, 403),
        ({**DISPATCH, "group": group["id"]}, 403),
        ({**DISPATCH, "resources": [mine]}, 201),
    ):
        assert await status(north, "/dispatch-requests", body) == wanted
        assert await status(everywhere, "/dispatch-requests", body) == 201
    enrolment = {"program": "peak", "state": "active"}
    assert await status(north, "/enrolments", {**enrolment, "resourceId": theirs}) == 403
    assert await status(north, "/enrolments", {**enrolment, "resourceId": mine}) == 201
    out = {"name": "works", "start": "2026-08-05T16:00:00Z", "end": "2026-08-05T18:00:00Z"}
    assert await status(north, "/opt-outs", {**out, "resourceId": theirs}) == 403
    assert await status(north, "/opt-outs", {**out, "resourceId": mine}) == 201
    site = (await house.told("GET", f"/resources/{mine}"))["siteId"]
    taken = {"siteId": site, "name": "one", "device": "GRP2"}
    assert await status(north, f"/resources/{mine}", taken, "PUT") == 403
    kept = {**taken, "device": "GRP1", "name": "first"}
    assert await status(north, f"/resources/{mine}", kept, "PUT") == 200


async def test_a_running_dispatch_is_changed_by_who_answers_for_it(open_house: House) -> None:
    house = open_house
    everywhere, north = await person(house, "OPERATOR"), await person(house, "OPERATOR", "north")
    theirs = await house.resource("two", device="GRP2")
    _, made = await everywhere.call(
        "POST", "/dispatch-requests", {**DISPATCH, "resources": [theirs]}
    )
    path = f"/dispatch-requests/{made['id']}"
    (asked,) = (await house.told("GET", f"/participations?dispatchId={made['id']}"))["items"]
    longer = {"end": "2026-08-05T19:00:00Z", "reason": "hot"}
    no = {"answer": "opt_out", "reason": "the mill said so"}
    answer = f"/participations/{asked['id']}"
    for who, wanted in ((north, 403), (everywhere, 200)):
        assert (await who.call("POST", f"{path}/extend", longer))[0] == wanted
        assert (await who.call("PUT", answer, no, If_Match="*"))[0] == wanted
        assert (await who.call("POST", f"{path}/cancel", {"reason": "rain"}))[0] == wanted
