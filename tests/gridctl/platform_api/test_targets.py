"""Targets of an OpenADR event that name something here: a device, an area, a group, a resource."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.control.ports import ResourceView
from gridctl.model.measurement import GOOD
from gridctl.model.resource import Resource
from tests.gridctl.openadr.vtn import BASE as OPENADR
from tests.gridctl.openadr.vtn import event, program
from tests.gridctl.platform_api.house import House
from tests.optimizer.small import BATTERY, group


def view(resource: Resource) -> ResourceView:
    return ResourceView(
        resource=resource, intended_kw=None, confirmed_kw=None, power_kw=0.0, available_kw=100.0,
        soc_pct=None, lease_until_s=None, excluded=None, quality=GOOD, age_s=1.0,
    )  # fmt: skip


@pytest.fixture
async def program_id(house: House) -> str:
    north = replace(BATTERY, mrid="BESS1", area="north")
    south = (group("GRP1", area="south"), group("GRP2", area="south"))
    house.desk.resources = tuple(view(one) for one in (north, *south))
    return str((await house.made(f"{OPENADR}/programs", program()))["id"])


async def devices(house: House, program_id: str, *targets: str) -> tuple[str, ...] | None:
    answer = await house.call("POST", f"{OPENADR}/events", event(program_id, targets=[*targets]))
    assert answer.status == 201
    assert "Gridctl-Not-Acted-On" not in answer.headers
    return house.desk.submitted[-1].devices


async def test_devices_and_areas(house: House, program_id: str) -> None:
    assert await devices(house, program_id) is None
    assert await devices(house, program_id, "GRP1") == ("GRP1",)
    assert await devices(house, program_id, "south") == ("GRP1", "GRP2")
    assert await devices(house, program_id, "GRP1", "north", "a VEN's own") == ("BESS1", "GRP1")


async def test_groups_and_resources(house: House, program_id: str) -> None:
    one = await house.resource("one", device="GRP1")
    two = await house.resource("two", device="GRP2")
    three = await house.resource("three")
    members = [{"mRID": one}, {"mRID": three}]
    made = await house.made("/der-groups", {"Names": [{"name": "west"}], "EndDevices": members})
    assert await devices(house, program_id, "west") == ("GRP1",)
    assert await devices(house, program_id, made["id"], two) == ("GRP1", "GRP2")


async def test_targets_of_vens_alone_move_nothing(house: House, program_id: str) -> None:
    body = event(program_id, targets=["site-7"])
    answer = await house.call("POST", f"{OPENADR}/events", body)
    assert answer.status == 201
    assert "it is for VENs" in answer.headers["Gridctl-Not-Acted-On"]
    assert house.desk.submitted == []


async def test_a_change_of_targets_changes_who_may_answer(house: House, program_id: str) -> None:
    made = await house.made(f"{OPENADR}/events", event(program_id, targets=["south"]))
    path = f"{OPENADR}/events/{made['id']}"
    await house.told("PUT", path, event(program_id, targets=["north"]))
    last = house.desk.submitted[-1]
    assert (last.event_id, last.devices) == (made["id"], ("BESS1",))
    (kept,) = await house.store.requests()
    assert kept == last
