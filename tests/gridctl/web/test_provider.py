"""Sign-in through an identity provider over real HTTP, honest and not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer

from gridctl.store.engine import SqlStore, temporary_store
from gridctl.wallclock import system_clock
from gridctl.web.app import build_app
from gridctl.web.provider import Provider, ProviderSettings, roles_of
from gridctl.web.routes import WebParts
from tests.gridctl.web.desk import BATTERY, FEEDER, RecordingDesk
from tests.gridctl.web.duty import duty_of
from tests.gridctl.web.forecasts import assets_of, forecasts_of, vee_of
from tests.gridctl.web.identity_provider import IdentityProvider
from tests.gridctl.web.people import people_of
from tests.ports import free_port

PASSWORD = "correct horse battery"
ROLES = (("grid-operators", "OPERATOR", ("north",)), ("grid-lookers", "VIEWER", ("*",)))


class Site:
    """A console that trusts `idp`, and a browser in front of it."""

    def __init__(self, idp: IdentityProvider, store: SqlStore, browser: ClientSession) -> None:
        self.idp = idp
        self.store = store
        self.browser = browser

    async def sign_in(self) -> tuple[int, str]:
        """There and back again, as a browser walks: status and page at the end."""
        answer = await self.browser.get("/oidc/start", allow_redirects=False)
        for _ in ("provider", "callback"):
            if answer.status == 303:
                answer = await self.browser.get(answer.headers["Location"], allow_redirects=False)
        return answer.status, await answer.text()

    async def session(self) -> dict[str, Any]:
        answer = await self.browser.get("/api/v1/session")
        return dict(await answer.json())


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    clock = system_clock()
    idp = IdentityProvider()
    port = free_port()
    async with idp.running(), temporary_store(clock) as store:
        settings = ProviderSettings(
            issuer=idp.issuer,
            client_id="gridctl",
            client_secret="s3cret",
            redirect=f"http://127.0.0.1:{port}/oidc/callback",
            name_claim="preferred_username",
            groups_claim="groups",
            roles=roles_of(ROLES),
        )
        app = build_app(
            WebParts(
                desk=RecordingDesk(),
                duty=duty_of(store, clock),
                store=store,
                people=people_of(store, local=frozenset({"break-glass"})),
                provider=Provider(settings, clock=clock, real=clock),
                clock=clock,
                time_rate=1.0,
                feeder=FEEDER,
                resources=(BATTERY,),
                voltage_min_pu=0.95,
                voltage_max_pu=1.05,
                utc_offset_s=0.0,
                secure=False,
                forecasts=forecasts_of(store, clock),
                assets=assets_of(store, clock),
                vee=vee_of(store, clock),
            ),
            mounted=[],
        )
        async with (
            TestServer(app, port=port) as server,
            ClientSession(server.make_url("/"), cookie_jar=CookieJar(unsafe=True)) as browser,
        ):
            yield Site(idp, store, browser)


async def test_a_group_becomes_a_role_with_its_areas(site: Site) -> None:
    status, _ = await site.sign_in()
    assert status == 303
    told = await site.session()
    assert (told["user"], told["name"]) == ("grete", "Grete Hansen")
    assert (told["role"], told["areas"], told["factor"]) == ("OPERATOR", "north", "provider")
    assert site.idp.asked["code_challenge_method"] == "S256"
    rows = await site.store.audit_rows()
    assert (rows[0].entry.who, rows[0].entry.result) == ("grete", "done by provider")


async def test_role_and_areas_follow_the_provider(site: Site) -> None:
    await site.sign_in()
    site.idp.claims = {"groups": ["something", "grid-lookers"]}
    await site.sign_in()
    told = await site.session()
    assert (told["role"], told["areas"]) == ("VIEWER", "*")


LIES = [
    ({"nonce": "another"}, "", "nonce"),
    ({"aud": "somebody-else"}, "", "ID token"),
    ({"aud": ["gridctl", "another"], "azp": "another"}, "", "azp"),
    ({"iss": "http://127.0.0.1:1"}, "", "ID token"),
    ({"exp": int(time.time()) - 3600}, "", "ID token"),
    ({"iat": int(time.time()) + 7200, "nbf": int(time.time()) + 7200}, "", "ID token"),
    ({"groups": ["gardeners"]}, "", "no group"),
    ({"groups": None}, "", "no group"),
    ({"preferred_username": ""}, "", "no usable name"),
    ({}, "no signature", "ID token"),
    ({}, "shared key", "ID token"),
    ({}, "another key", "ID token"),
]


@pytest.mark.parametrize(
    ("claims", "lie", "why"), LIES, ids=[f"{w}-{i}" for i, (*_, w) in enumerate(LIES)]
)
async def test_what_does_not_fit_lets_nobody_in(
    site: Site, claims: dict[str, Any], lie: str, why: str
) -> None:
    site.idp.claims, site.idp.lie = claims, lie
    status, text = await site.sign_in()
    assert (status, site.idp.tokens) == (403, 1)
    assert why in text
    assert (await site.browser.get("/api/v1/session")).status == 401
    assert await site.store.users.users() == []


async def test_a_sign_in_that_another_browser_began_is_refused(site: Site) -> None:
    there = await site.browser.get("/oidc/start", allow_redirects=False)
    back = await site.browser.get(there.headers["Location"], allow_redirects=False)
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as other:
        answer = await other.get(back.headers["Location"], allow_redirects=False)
        assert answer.status == 403
    assert site.idp.tokens == 0


async def test_a_code_is_taken_once(site: Site) -> None:
    there = await site.browser.get("/oidc/start", allow_redirects=False)
    back = await site.browser.get(there.headers["Location"], allow_redirects=False)
    first = await site.browser.get(back.headers["Location"], allow_redirects=False)
    again = await site.browser.get(back.headers["Location"], allow_redirects=False)
    assert (first.status, again.status) == (303, 403)


async def test_a_name_of_a_local_user_is_not_taken_over(site: Site) -> None:
    await site.store.users.add_user("grete", "Another Grete", "SECADM", PASSWORD)
    status, text = await site.sign_in()
    assert status == 403
    assert "grete is a user of local" in text


async def test_metadata_of_another_issuer_are_not_believed(site: Site) -> None:
    site.idp.lie = "metadata of another"
    status, text = await site.sign_in()
    assert status == 503
    assert "not of the issuer" in text


async def test_local_passwords_are_for_the_break_glass_account_only(site: Site) -> None:
    for name in ("break-glass", "op"):
        await site.store.users.add_user(name, name, "SUPERVISOR", PASSWORD)
    body = {"user": "op", "password": PASSWORD}
    assert (await site.browser.post("/api/v1/session", json=body)).status == 401
    body["user"] = "break-glass"
    assert (await site.browser.post("/api/v1/session", json=body)).status == 200


async def test_who_came_through_the_provider_proves_himself_there(site: Site) -> None:
    await site.sign_in()
    told = await site.session()
    answer = await site.browser.post(
        "/api/v1/session/prove", json={}, headers={"X-CSRF-Token": told["csrf"]}
    )
    assert (await answer.json())["methods"] == ["provider"]


async def test_plain_http_is_for_loopback_only() -> None:
    settings = ProviderSettings(
        issuer="http://idp.example",
        client_id="x",
        client_secret="",
        redirect="",
        name_claim="n",
        groups_claim="g",
        roles=(),
    )
    with pytest.raises(ValueError, match="not https"):
        Provider(settings, clock=system_clock(), real=system_clock())
