"""Sessions, permissions, acts and refusals over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from yarl import URL

from gridctl.control.evidence import inconsistent
from gridctl.evidencepack import read_pack
from gridctl.model.plan import PlanState
from gridctl.web.app import ROUTES
from gridctl.web.routes import Route
from tests.gridctl.web.conftest import OFFICE_KEY, PASSWORD, Console
from tests.gridctl.web.desk import PLAN

UNSAFE = ("POST", "DELETE", "PUT", "PATCH")


async def test_wrong_password_is_401_with_a_problem(console: Console) -> None:
    answer = await console.client.post(
        "/api/v1/session", json={"user": "op", "password": "wrong wrong"}
    )
    assert answer.status == 401
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["code"] == "bad_credentials"


async def test_every_try_to_sign_in_is_audited(console: Console) -> None:
    await console.client.post("/api/v1/session", json={"user": "nobody", "password": "x"})
    await console.sign_in("op")
    rows = await console.store.audit_rows()
    assert [(r.entry.who, r.entry.action, r.entry.result) for r in rows] == [
        ("op", "sign in", "done"),
        ("nobody", "sign in", "refused"),
    ]
    assert (await console.store.verify_audit()).ok


def filled(path: str) -> str:
    """The path with something in place of each `{name}`."""
    path = re.sub(r"\{\w+:([a-z]+)(\|[^}]*)?\}", r"\1", path)
    return re.sub(r"\{[^}]*\}", "1", path)


def shape(path: str) -> str:
    """The path with every `{name}` alike."""
    return re.sub(r"\{[^}]*\}", "*", path)


PUBLIC = {
    ("GET", "/"),
    ("GET", "/static/{name:[A-Za-z0-9_.-]+}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),  # its own bearer, or this machine only: test_metrics.py
    ("GET", "/plain"),
    ("POST", "/plain/login"),
    ("GET", "/oidc/start"),
    ("GET", "/oidc/callback"),
    ("GET", "/api/v1/sign-in"),
    ("POST", "/api/v1/session"),
    # A ticket stands for the person.
    ("POST", "/api/v1/session/password"),
    ("POST", "/api/v1/session/code"),
    ("POST", "/api/v1/session/key-challenge"),
    ("POST", "/api/v1/session/key"),
    ("POST", "/api/v1/session/recovery"),
    ("POST", "/api/v1/set-up"),
}


def the_table(console: Console) -> Sequence[Route]:
    """The console's own route table."""
    return console.client.server.app[ROUTES]  # type: ignore[attr-defined, no-any-return]


async def test_sg31_every_route_with_a_permission_refuses_a_stranger(console: Console) -> None:
    table = the_table(console)
    assert {(r.method, r.path) for r in table if r.rule is None} == PUBLIC
    for route in table:
        if route.rule is not None:
            answer = await console.client.request(route.method, filled(route.path))
            assert answer.status == 401, f"{route.method} {route.path} is open"


async def test_a_route_beside_the_table_is_found(console: Console) -> None:
    listed = {(r.method, shape(r.path)) for r in the_table(console)}
    served = {
        (r.method, shape(r.resource.canonical))
        for r in console.client.server.app.router.routes()  # type: ignore[attr-defined]
        if r.method != "HEAD"
    }
    assert served == listed


async def test_acts_without_the_csrf_token_are_refused(console: Console) -> None:
    await console.sign_in("op")
    for route in the_table(console):
        if route.method not in UNSAFE or route.rule is None:
            continue
        answer = await console.client.request(route.method, filled(route.path), json={})
        assert answer.status == 403, f"{route.method} {route.path} without CSRF token"
        assert (await answer.json())["code"] == "csrf"
    assert console.desk.acts == []


async def test_foreign_origin_is_refused(console: Console) -> None:
    csrf = await console.sign_in("op")
    answer = await console.client.post(
        "/api/v1/stop",
        json={"reason": "x"},
        headers={"X-CSRF-Token": csrf, "Origin": "http://evil.example"},
    )
    assert answer.status == 403
    assert console.desk.acts == []


async def test_sg31_viewer_may_look_and_nothing_else(console: Console) -> None:
    await console.store.users.add_user("look", "Viewer", "VIEWER", PASSWORD)
    csrf = await console.sign_in("look")
    assert (await console.client.get("/api/v1/overview")).status == 200
    answer = await console.client.post(
        "/api/v1/plans/P-1/approve", json={"digest": PLAN.digest()}, headers={"X-CSRF-Token": csrf}
    )
    assert answer.status == 403
    assert "approve" in (await answer.json())["detail"]
    assert console.desk.acts == []


async def test_sg09_a_changed_plan_is_409_and_says_so(console: Console) -> None:
    csrf = await console.sign_in("op")
    answer = await console.client.post(
        "/api/v1/plans/P-1/approve", json={"digest": "0" * 64}, headers={"X-CSRF-Token": csrf}
    )
    assert answer.status == 409
    body = await answer.json()
    assert body["code"] == "plan_changed"
    assert body["reasons"] == ["read it again"]


async def test_approval_and_stop_reach_the_desk_with_the_person(console: Console) -> None:
    csrf = await console.sign_in("op")
    headers = {"X-CSRF-Token": csrf}
    digest = {"digest": PLAN.digest()}
    assert (
        await console.client.post("/api/v1/plans/P-1/approve", json=digest, headers=headers)
    ).status == 200
    stop = await console.client.post("/api/v1/stop", json={"reason": "test"}, headers=headers)
    assert (await stop.json()) == {"stopped": True, "latency_s": 0.1}
    assert console.desk.acts == [("approve", "P-1", "op"), ("stop", "test", "op")]


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"digest": 5}', '{"digest": "x", "more": 1}', "[" * 5000, "\x00"]
)
async def test_bad_bodies_are_400_and_nothing_happens(console: Console, body: str) -> None:
    csrf = await console.sign_in("op")
    answer = await console.client.post(
        "/api/v1/plans/P-1/approve", data=body, headers={"X-CSRF-Token": csrf}
    )
    assert answer.status == 400, await answer.text()
    assert console.desk.acts == []


@pytest.mark.parametrize(
    "path", ["/plans/%00", "/plans?x=%00", "/commands?plan=a%00b", "/trend?%00=1", "/commands/%00"]
)
async def test_an_address_that_no_store_can_hold_is_400(console: Console, path: str) -> None:
    """PostgreSQL has no NUL in a text."""
    await console.sign_in("op")
    answer = await console.client.get(URL(f"/api/v1{path}", encoded=True))
    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    login = await console.client.post("/plain/login", data={"user": "a\0b", "password": "x"})
    assert login.status == 400
    rows = await console.store.audit_rows()
    assert [r.entry.action for r in rows] == ["sign in"]


async def test_a_closed_session_is_worthless(console: Console) -> None:
    csrf = await console.sign_in("op")
    cookies = console.client.session.cookie_jar.filter_cookies(console.client.make_url("/"))
    token = next(iter(cookies.values())).value
    answer = await console.client.delete("/api/v1/session", headers={"X-CSRF-Token": csrf})
    assert answer.status == 204
    again = await console.client.get(
        "/api/v1/session", headers={"Cookie": f"gridctl_session={token}"}
    )
    assert again.status == 401


async def test_every_answer_carries_the_security_headers(console: Console) -> None:
    for path in ("/", "/plain", "/healthz", "/nowhere", "/api/v1/overview"):
        answer = await console.client.get(path)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_static_files_stay_in_their_folder(console: Console) -> None:
    for name in ("..%2fapp.py", "%2e%2e/app.py", "app.py", ".env"):
        answer = await console.client.get(f"/static/{name}")
        assert answer.status == 404, name


async def test_stop_works_without_a_script(console: Console) -> None:
    answer = await console.client.post(
        "/plain/login", data={"user": "op", "password": PASSWORD}, allow_redirects=True
    )
    page = await answer.text()
    assert "STOP ALL DISPATCH" in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    await console.client.post("/plain/stop", data={"csrf": csrf}, allow_redirects=True)
    assert console.desk.acts == [("stop", "STOP from the plain page", "op")]


async def test_names_are_escaped_on_plain_pages(console: Console) -> None:
    await console.store.users.add_user("<script>x</script>", "X", "VIEWER", PASSWORD)
    answer = await console.client.post(
        "/plain/login",
        data={"user": "<script>x</script>", "password": PASSWORD},
        allow_redirects=True,
    )
    assert "<script>x" not in await answer.text()


async def test_sg34_a_pack_over_http_is_signed_and_verifies(console: Console) -> None:
    """The same pack as `gridctl evidence` writes."""
    at_s = console.store.clock.now_s()
    async with console.store.transaction() as unit:
        await unit.add_plan(PLAN, PlanState.PROPOSED, at_s)
    await console.sign_in("op")
    answer = await console.client.get(f"/api/v1/evidence/{PLAN.mrid}")
    assert answer.content_type == "application/zip"
    pack = read_pack(await answer.read(), key=OFFICE_KEY.public_key())
    assert pack.plans == (PLAN.mrid,)
    assert inconsistent(pack.files, pack.plans) == ()
    nothing = await console.client.get("/api/v1/evidence/P-nothing")
    assert nothing.status == 409
