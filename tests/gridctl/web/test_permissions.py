"""SG-31: role × route × area, from the console's own route table.

What a role may do is written here a second time, from the table of safeguards.md, so that a change
of one place alone fails. Every route is asked by every role, inside and outside its areas.
"""

from __future__ import annotations

from typing import Any

import pytest

from gridctl.web.roles import Role
from gridctl.web.routes import Route
from tests.gridctl.web.conftest import PASSWORD, Console
from tests.gridctl.web.desk import BATTERY, PLAN, TAG
from tests.gridctl.web.test_api import filled, the_table

DESK = {"own", "view", "ack", "stop", "propose", "approve", "audit", "mode", "duty", "tag"}
MAY: dict[str, set[str]] = {
    "VIEWER": {"own", "view"},
    "OPERATOR": DESK,
    "SUPERVISOR": DESK | {"second_approval"},
    "ENGINEER": {"own", "view", "mode"},
    "INSTALLER": {"own", "view"},
    "SECADM": {"own", "list_users", "users"},
    "SECAUD": {"own", "view", "audit", "list_users"},
    "RBACMNT": {"own", "list_users", "roles"},
}
PLACES = {
    "/api/v1/plans/{plan}": f"/api/v1/plans/{PLAN.mrid}",
    "/api/v1/tags/{tag}": f"/api/v1/tags/{TAG.tag.id}",
}
REFUSED_BY_ROLE = {"forbidden"}


def path_of(route: Route) -> str:
    """The route's path about something that exists where areas matter."""
    path = route.path
    for start, real in PLACES.items():
        path = path.replace(start, real)
    return filled(path)


def body_of(route: Route) -> dict[str, Any]:
    """Just enough for the areas of the act to be known."""
    if route.path.endswith("/tags"):
        return {"device": BATTERY.mrid}
    return {"area": "north", "to": "off"} if "/modes" in route.path else {}


async def asked(console: Console, route: Route, csrf: str) -> tuple[int, str]:
    """Status and code of the refusal ("" for anything else)."""
    answer = await console.client.request(
        route.method,
        path_of(route),
        json=None if route.method == "GET" else body_of(route),
        headers={"X-CSRF-Token": csrf},
    )
    if answer.content_type != "application/problem+json":
        answer.close()
        return answer.status, ""
    return answer.status, str((await answer.json())["code"])


def guarded(console: Console) -> list[Route]:
    """Routes with a rule, but for those that end the session or the connection."""
    return [
        r
        for r in the_table(console)
        if r.rule is not None and r.method != "DELETE" and not r.path.endswith("/stream")
    ]


def test_sg31_every_role_stands_in_the_table() -> None:
    assert set(MAY) == {role.value for role in Role}


@pytest.mark.parametrize("role", sorted(MAY))
async def test_sg31_each_role_on_each_route(console: Console, role: str) -> None:
    await console.store.users.add_user("one", "One", role, PASSWORD, areas="north,south")
    csrf = await console.sign_in("one")
    for route in guarded(console):
        _, code = await asked(console, route, csrf)
        permission = route.permission
        assert permission is not None
        allowed = permission.value in MAY[role]
        assert (code not in REFUSED_BY_ROLE) == allowed, f"{role} on {route.method} {route.path}"
        assert code != "foreign_area", f"{role} on {route.method} {route.path}"


@pytest.mark.parametrize("areas", ["south", ""])
async def test_sg31_outside_its_areas_the_same_role_is_refused(
    console: Console, areas: str
) -> None:
    await console.store.users.add_user("one", "One", "SUPERVISOR", PASSWORD, areas=areas)
    csrf = await console.sign_in("one")
    bound = set()
    for route in guarded(console):
        _, code = await asked(console, route, csrf)
        permission = route.permission
        assert permission is not None
        if permission.value not in MAY["SUPERVISOR"]:
            continue
        is_bound = route.rule is not None and route.rule.areas is not None
        assert (code == "foreign_area") == is_bound, f"{route.method} {route.path}: {code}"
        if is_bound:
            bound.add(route.path)
    assert {act[0] for act in console.desk.acts} == {"stop", "propose"}
    assert bound == {
        "/api/v1/plans/{plan}/approve",
        "/api/v1/plans/{plan}/reject",
        "/api/v1/plans/{plan}/break-glass",
        "/api/v1/resume",
        "/api/v1/modes",
        "/api/v1/modes/approve",
        "/api/v1/modes/closed-loop",
        "/api/v1/tags",
        "/api/v1/tags/{tag}/remove",
    }


async def test_sg21_stop_is_in_every_area(console: Console) -> None:
    await console.store.users.add_user("one", "One", "OPERATOR", PASSWORD, areas="")
    csrf = await console.sign_in("one")
    answer = await console.client.post(
        "/api/v1/stop", json={"reason": "smoke"}, headers={"X-CSRF-Token": csrf}
    )
    assert answer.status == 200


async def test_sg07_routes_that_move_power_or_rights_ask_for_a_fresh_proof(
    console: Console,
) -> None:
    fresh = {r.path for r in guarded(console) if r.rule is not None and r.rule.step_up}
    assert {
        "/api/v1/plans/{plan}/approve",
        "/api/v1/plans/{plan}/break-glass",
        "/api/v1/modes/approve",
        "/api/v1/modes/closed-loop",
        "/api/v1/resume",
        "/api/v1/users",
        "/api/v1/users/{user}/remove",
        "/api/v1/users/{user}/reset",
        "/api/v1/users/{user}/role",
        "/api/v1/factors/code",
        "/api/v1/factors/key",
    } <= fresh
    calm = {"/api/v1/stop", "/api/v1/plans/{plan}/reject", "/api/v1/return-to-default"}
    assert not calm & fresh
