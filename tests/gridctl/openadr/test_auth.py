"""Who gets a token, and what happens without one."""

from __future__ import annotations

import base64

import pytest

from gridctl.openadr.auth import TOKEN_LIFE_S
from gridctl.store import schema
from tests.gridctl.openadr.vtn import BASE, SECRET, Vtn

TOKEN = f"{BASE}/auth/token"
GOOD = {"grant_type": "client_credentials", "client_id": "bl", "client_secret": SECRET}


async def test_the_server_tells_where_tokens_are(vtn: Vtn) -> None:
    answer = await vtn.client.get(f"{BASE}/auth/server")
    assert answer.status == 200
    assert await answer.json() == {"tokenURL": str(vtn.client.make_url(TOKEN))}


async def test_a_token(vtn: Vtn) -> None:
    answer = await vtn.client.post(TOKEN, data=GOOD | {"scope": "write_events read_all unknown"})
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = await answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == TOKEN_LIFE_S
    assert body["scope"] == "read_all write_events"
    assert len(body["access_token"]) >= 43


async def test_a_ven_asking_for_read_all_gets_what_it_may_have(vtn: Vtn) -> None:
    answer = await vtn.client.post(TOKEN, data=GOOD | {"client_id": "ven", "scope": "read_all"})
    assert (await answer.json())["scope"] == (
        "read_targets read_ven_objects write_reports write_subscriptions write_vens"
    )


async def test_basic_credentials(vtn: Vtn) -> None:
    coded = base64.b64encode(f"bl:{SECRET}".encode()).decode()
    headers = {"Authorization": f"Basic {coded}"}
    form = {"grant_type": "client_credentials"}
    assert (await vtn.client.post(TOKEN, data=form, headers=headers)).status == 200
    answer = await vtn.client.post(TOKEN, data=GOOD, headers=headers)
    assert answer.status == 400
    headers = {"Authorization": "Basic *"}
    answer = await vtn.client.post(TOKEN, data=form, headers=headers)
    assert (answer.status, (await answer.json())["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        (GOOD | {"client_secret": "wrong"}, 401, "invalid_client"),
        (GOOD | {"client_id": "nobody"}, 401, "invalid_client"),
        (GOOD | {"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "bl"}, 400, "invalid_request"),
        ({k: GOOD[k] for k in ("client_id", "client_secret")}, 400, "invalid_request"),
        (GOOD | {"client_secret": "x" * 20_000}, 400, "invalid_request"),
        (GOOD | {"client_id": "b\x00l"}, 400, "invalid_request"),
    ],
)
async def test_no_token(vtn: Vtn, form: dict[str, str], status: int, error: str) -> None:
    answer = await vtn.client.post(TOKEN, data=form)
    assert answer.status == status
    assert (await answer.json())["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"


async def test_only_a_form_is_taken(vtn: Vtn) -> None:
    answer = await vtn.client.post(TOKEN, json=GOOD)
    assert answer.status == 400
    doubled = "grant_type=client_credentials&client_id=bl&client_id=ven&client_secret=x"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await vtn.client.post(TOKEN, data=doubled, headers=kind)
    assert answer.status == 400


async def test_failures_are_audited_but_do_not_flood(vtn: Vtn) -> None:
    for _ in range(5):
        await vtn.client.post(TOKEN, data=GOOD | {"client_secret": "wrong"})
    rows = [r for r in await vtn.store.audit_rows() if r.entry.action == "openadr.token"]
    assert len(rows) == 1
    vtn.clock.advance(11)
    await vtn.client.post(TOKEN, data=GOOD | {"client_secret": "wrong"})
    newest = (await vtn.store.audit_rows())[0]
    assert "5 since" in newest.entry.result


KINDS = {
    "/programs": ("both", "bl"),
    "/events": ("both", "bl"),
    "/reports": ("both", "ven"),
    "/subscriptions": ("both", "both"),
    "/vens": ("both", "both"),
    "/resources": ("both", "both"),
}
"""Who reads and who writes each kind."""
TOPICS = {
    "/programs": "both",
    "/programs/x": "both",
    "/programs/x/events": "both",
    "/vens/x": "both",
    "/vens/x/events": "both",
    "/vens/x/programs": "both",
    "/vens/x/resources": "both",
    "/events": "bl",
    "/reports": "bl",
    "/subscriptions": "bl",
    "/vens": "bl",
    "/resources": "bl",
}
ROUTES = {
    **{("GET", path): read for path, (read, _) in KINDS.items()},
    **{("GET", f"{path}/x"): read for path, (read, _) in KINDS.items()},
    **{("POST", path): write for path, (_, write) in KINDS.items()},
    **{("PUT", f"{path}/x"): write for path, (_, write) in KINDS.items()},
    **{("DELETE", f"{path}/x"): write for path, (_, write) in KINDS.items()},
    **{("GET", f"/notifiers/mqtt/topics{path}"): who for path, who in TOPICS.items()},
    ("GET", "/notifiers"): "both",
}
PUBLIC = {("GET", "/auth/server"), ("POST", "/auth/token")}


@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic Ymw6eA==", "x"])
async def test_nothing_without_a_token(vtn: Vtn, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in ROUTES:
        answer = await vtn.client.request(method, BASE + path, headers=headers, json={})
        assert answer.status == 401, (method, path)
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_each_role_does_what_is_its_own(vtn: Vtn) -> None:
    for (method, path), who in ROUTES.items():
        for role in ("bl", "ven"):
            answer = await vtn.call(method, path, {}, who=role)
            allowed = who in ("both", role)
            assert (answer.status != 403) is allowed, (method, path, role)
            assert answer.status in (200, 400, 403, 404), (method, path, role)
            if answer.status != 200:
                assert answer.content_type == "application/problem+json"


def test_every_route_has_its_row(vtn_routes: set[tuple[str, str]]) -> None:
    """A new route has to be added to the table above, and so is tested for its token and role."""
    known = {(method, path.replace("/x", "/{}")) for method, path in ROUTES}
    assert vtn_routes == known | PUBLIC
    assert len(vtn_routes) == 45, "operations of OpenADR 3.1.0"


async def test_a_token_runs_out(vtn: Vtn) -> None:
    vtn.clock.advance(TOKEN_LIFE_S - 1)
    assert (await vtn.call("GET", "/programs")).status == 200
    vtn.clock.advance(2)
    assert (await vtn.call("GET", "/programs")).status == 401


async def test_no_secret_is_stored(vtn: Vtn) -> None:
    async with vtn.store._reading("test") as connection:
        rows = [
            str(row)
            for table in (schema.openadr_client, schema.openadr_token)
            for row in await connection.execute(table.select())
        ]
    assert len(rows) >= 4
    for word in (SECRET, *vtn.tokens.values()):
        assert word not in "".join(rows)


async def test_tokens_of_one_client_are_bounded(vtn: Vtn) -> None:
    for _ in range(25):
        vtn.clock.advance(1)
        await vtn.token("bl")
    async with vtn.store._reading("test") as connection:
        rows = (await connection.execute(schema.openadr_token.select())).all()
    assert len([row for row in rows if row.client_id == "bl"]) == 20
