"""The first start: nothing is built in, and a link lets the first two in, once."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from gridctl.cli_store import journal_entry
from gridctl.config import Settings, load_settings
from gridctl.firststart import first_people, make_keys
from gridctl.model.clock import ManualClock
from gridctl.store.engine import temporary_store
from gridctl.wallclock import system_clock
from gridctl.web.people import SETUP_LIFE_S
from sim.instance import Ports, create_instance
from tests.gridctl.web.conftest import Console, console

__all__ = ["console"]

REAL = ManualClock(grid_s=1_784_000_000.0)
TOKEN = "/#/setup/"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A site's, without keys yet."""
    create_instance(
        tmp_path / "site",
        scenario="hot-afternoon",
        rate=1.0,
        now_real_s=0.0,
        history_days=1,
        ports=Ports(web=8080, sub=20001, dr=20002, der=20003),
    )
    found = load_settings(tmp_path / "site" / "gridctl.toml")
    for file in (found.link.office_key, found.link.office_public_key):
        file.unlink()
    return found


def test_the_private_key_is_its_owners_alone_and_is_made_once(settings: Settings) -> None:
    make_keys(settings)
    private = settings.link.office_key
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = private.read_bytes()
    make_keys(settings)
    assert private.read_bytes() == before
    private.unlink()
    make_keys(settings)
    assert not private.exists(), "a lost private key is not replaced behind anybody's back"


async def test_sg31_a_site_begins_with_two_links_of_two_roles(settings: Settings) -> None:
    site = settings.model_copy(update={"clock": None})
    async with temporary_store(ManualClock()) as store:
        users, clients = await first_people(store, site, real=REAL)
        assert clients == ()
        assert [(u.name, u.role) for u in users] == [("accounts", "SECADM"), ("roles", "RBACMNT")]
        assert all(u.is_link and TOKEN in u.secret for u in users)
        for user in await store.users.users():
            assert await store.users.verify_password(user.name, "") is None
        again, _ = await first_people(store, site, real=REAL)
        old, new = (found[0].secret.partition(TOKEN)[2] for found in (users, again))
        assert await store.factors.setup_for(old, now_s=REAL.now_s()) is None
        assert await store.factors.setup_for(new, now_s=REAL.now_s()) is not None
        late_s = REAL.now_s() + SETUP_LIFE_S + 1
        assert await store.factors.setup_for(new, now_s=late_s) is None
        actions = [r.entry.action for r in await store.audit_rows()]
        assert actions.count("first set-up") == 4


async def test_a_pilot_prints_operators_as_before(settings: Settings) -> None:
    async with temporary_store(ManualClock()) as store:
        users, clients = await first_people(store, settings, real=REAL)
        assert [u.role for u in users] == ["OPERATOR", "SUPERVISOR"]
        assert not any(u.is_link for u in users)
        assert len(clients) == 1
        assert await first_people(store, settings, real=REAL) == ((), ())


async def test_a_link_is_used_once_also_by_two_at_the_same_moment(
    console: Console, settings: Settings
) -> None:
    for user in await console.store.users.users():
        await console.store.users.remove(
            user.name, audit=journal_entry(console.store, "remove user", user.name)
        )
    site = settings.model_copy(update={"clock": None})
    users, _ = await first_people(console.store, site, real=system_clock())
    token = users[0].secret.partition(TOKEN)[2]

    async def choose(browser: Any, password: str) -> int:
        answer = await browser.post("/api/v1/set-up", json={"token": token, "password": password})
        return int(answer.status)

    assert await choose(console.client, "accounts") == 409, "a password like the name"
    assert await choose(console.client, "river stone hat") == 200
    assert await choose(console.client, "another river stone") == 401
    none, _ = await first_people(console.store, site, real=system_clock())
    assert none == (), "somebody can sign in: no new links"
