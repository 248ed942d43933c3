"""Tags over HTTP: who may, what is wrong with a body, what comes back (SG-26, SG-31)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gridctl.web.conftest import PASSWORD, Console

GOOD: dict[str, Any] = {
    "device": "BESS1",
    "kind": "control inhibit",
    "reason": "the inverter is open",
    "work_order": "W-17",
    "hours": 8,
}


async def signed_in(console: Console, areas: str) -> dict[str, str]:
    """An operator of `areas`; what his requests carry."""
    await console.store.users.add_user("one", "One", "OPERATOR", PASSWORD, areas=areas)
    return {"X-CSRF-Token": await console.sign_in("one")}


async def test_sg26_a_tag_is_placed_and_listed_and_not_yet_in_the_field(console: Console) -> None:
    headers = await signed_in(console, "*")
    answer = await console.client.post("/api/v1/tags", json=GOOD, headers=headers)
    assert answer.status == 201, await answer.text()
    made = await answer.json()
    assert made["by"] == "one"
    assert made["blocks"] is True
    assert made["in_field"] is False
    listed = await (await console.client.get("/api/v1/tags")).json()
    assert listed == {"tags": [made]}
    path = f"/api/v1/tags/{made['id']}/remove"
    no = await console.client.post(path, json={"reason": "it is closed"}, headers=headers)
    assert no.status == 409
    assert "it stays: the line to the field is down" in (await no.json())["reasons"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"kind": "out of order"}, 400),
        ({"hours": -1}, 400),
        ({"hours": float("inf")}, 400),
        ({"hours": True}, 400),
        ({"hours": 1e9}, 400),
        ({"reason": "x" * 501}, 400),
        ({"device": 7}, 400),
        ({"more": 1}, 400),
        ({"device": "BESS9"}, 409),
        ({"reason": " "}, 409),
    ],
)
async def test_bad_tags_change_nothing(
    console: Console, changes: dict[str, Any], status: int
) -> None:
    headers = await signed_in(console, "*")
    answer = await console.client.post("/api/v1/tags", json=GOOD | changes, headers=headers)
    assert answer.status == status, await answer.text()
    problem = await answer.json()
    assert problem["detail"] or problem["reasons"]
    assert (await (await console.client.get("/api/v1/tags")).json()) == {"tags": []}


async def test_sg31_outside_his_areas_nobody_places_a_tag(console: Console) -> None:
    headers = await signed_in(console, "south")
    answer = await console.client.post("/api/v1/tags", json=GOOD, headers=headers)
    assert answer.status == 403
