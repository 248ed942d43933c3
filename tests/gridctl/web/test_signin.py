"""Second factors over real HTTP: code, security key, fresh proof; the first link of a person."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import update

from gridctl.model.totp import code_of, step_at
from gridctl.store import schema
from gridctl.wallclock import system_clock
from gridctl.web.proving import TRIES_MAX
from tests.gridctl.web.authenticator import SoftKey
from tests.gridctl.web.conftest import PASSWORD, Console
from tests.gridctl.web.desk import PLAN
from tests.gridctl.web.people import ORIGIN

STEP_UP_S = 300.0


async def post(console: Console, path: str, body: dict[str, Any], csrf: str = "") -> Any:
    """The answer's JSON, with its status in `http`."""
    headers = {"X-CSRF-Token": csrf} if csrf else {}
    answer = await console.client.post(f"/api/v1{path}", json=body, headers=headers)
    found = await answer.json() if answer.content_length else {}
    return {**found, "http": answer.status}


async def enrol_code(console: Console, csrf: str) -> bytes:
    told = await post(console, "/factors/code", {}, csrf)
    secret = base64.b32decode(told["secret"])
    # The code of the step before: the next ones are still unused.
    code = code_of(secret, now_step() - 1)
    done = await post(console, "/factors/code/confirm", {"code": code}, csrf)
    assert done["http"] == 200, done
    return secret


async def enrol_key(console: Console, csrf: str) -> SoftKey:
    key = SoftKey(ORIGIN)
    options = await post(console, "/factors/key", {}, csrf)
    done = await post(
        console,
        "/factors/key/confirm",
        {"label": "blue key", "credential": key.create(options)},
        csrf,
    )
    assert done["http"] == 200, done
    return key


def now_step() -> int:
    return step_at(system_clock().now_s())


async def first_step(console: Console, user: str = "op") -> Any:
    told = await post(console, "/session", {"user": user, "password": PASSWORD})
    assert told["http"] == 401
    assert told["code"] == "second_factor"
    return told


async def test_sg07_with_a_generator_the_password_alone_opens_nothing(console: Console) -> None:
    secret = await enrol_code(console, await console.sign_in("op"))
    told = await first_step(console)
    assert told["methods"] == ["code"]
    code = code_of(secret, now_step())
    done = await post(console, "/session/code", {"ticket": told["ticket"], "code": code})
    assert (done["http"], done["factor"]) == (200, "code")
    # The same code once more, by somebody who has read it over the shoulder.
    told = await first_step(console)
    again = await post(console, "/session/code", {"ticket": told["ticket"], "code": code})
    assert (again["http"], again["code"]) == (401, "bad_credentials")


async def test_sg07_the_secret_is_sealed_in_the_store(console: Console) -> None:
    secret = await enrol_code(console, await console.sign_in("op"))
    held = await console.store.factors.of("op")
    assert held.totp is not None
    assert secret not in held.totp


async def test_sg32_wrong_codes_lock_the_account_and_a_right_password_does_not_unlock(
    console: Console,
) -> None:
    secret = await enrol_code(console, await console.sign_in("op"))
    for _ in range(TRIES_MAX):
        told = await first_step(console)
        await post(console, "/session/code", {"ticket": told["ticket"], "code": "000000x"})
    assert await console.store.users.locked_for_s("op") > 0
    told = await post(console, "/session", {"user": "op", "password": PASSWORD})
    assert told["code"] == "bad_credentials"
    assert code_of(secret, now_step())  # it would have been right


async def test_a_ticket_ends_after_five_tries(console: Console) -> None:
    secret = await enrol_code(console, await console.sign_in("op"))
    told = await first_step(console)
    for _ in range(TRIES_MAX):
        await post(console, "/session/code", {"ticket": told["ticket"], "code": "000000x"})
    code = code_of(secret, now_step())
    late = await post(console, "/session/code", {"ticket": told["ticket"], "code": code})
    assert late["http"] == 401


async def test_sg07_a_security_key_signs_in(console: Console) -> None:
    key = await enrol_key(console, await console.sign_in("op"))
    told = await first_step(console)
    assert told["methods"] == ["key"]
    ticket = {"ticket": told["ticket"]}
    options = await post(console, "/session/key-challenge", ticket)
    answer = key.get(options)
    done = await post(console, "/session/key", {**ticket, "credential": answer})
    assert (done["http"], done["factor"]) == (200, "key")
    # What was signed once is worth nothing for another challenge.
    told = await first_step(console)
    ticket = {"ticket": told["ticket"]}
    await post(console, "/session/key-challenge", ticket)
    again = await post(console, "/session/key", {**ticket, "credential": answer})
    assert again["http"] == 401


@pytest.mark.parametrize("fault", ["copy", "origin", "other key", "garbage"])
async def test_sg07_what_a_security_key_must_not_get_through_with(
    console: Console, fault: str
) -> None:
    key = await enrol_key(console, await console.sign_in("op"))
    told = await first_step(console)
    ticket = {"ticket": told["ticket"]}
    if fault == "copy":
        key.count = 9
        options = await post(console, "/session/key-challenge", ticket)
        await post(console, "/session/key", {**ticket, "credential": key.get(options)})
        key.count = 3
        ticket = {"ticket": (await first_step(console))["ticket"]}
    if fault == "origin":
        key.origin = "http://localhost.evil.example"
    if fault == "other key":
        key = SoftKey(ORIGIN)
    options = await post(console, "/session/key-challenge", ticket)
    credential = {"id": 5} if fault == "garbage" else key.get(options)
    done = await post(console, "/session/key", {**ticket, "credential": credential})
    assert (done["http"], done["code"]) == (401, "bad_credentials")


async def test_a_second_person_cannot_enrol_the_same_key(console: Console) -> None:
    key = await enrol_key(console, await console.sign_in("op"))
    await console.store.users.add_user("op2", "Second", "OPERATOR", PASSWORD)
    csrf = await console.sign_in("op2")
    options = await post(console, "/factors/key", {}, csrf)
    body = {"label": "mine", "credential": key.create(options)}
    done = await post(console, "/factors/key/confirm", body, csrf)
    assert (done["http"], done["code"]) == (409, "key_known")


async def make_stale(console: Console) -> None:
    """The last proof of every session is long ago."""
    async with console.store.transaction() as unit:
        proved = schema.session.c.proved_real_s
        await unit.connection.execute(
            update(schema.session).values(proved_real_s=proved - STEP_UP_S - 1)
        )


async def test_sg07_an_approval_needs_a_fresh_proof(console: Console) -> None:
    csrf = await console.sign_in("op")
    await make_stale(console)
    digest = {"digest": PLAN.digest()}
    refused = await post(console, "/plans/P-1/approve", digest, csrf)
    assert (refused["http"], refused["code"]) == (403, "step_up")
    assert console.desk.acts == []
    # No, and STOP, ask for nothing.
    stop = await post(console, "/stop", {"reason": "now"}, csrf)
    assert stop["http"] == 200
    reject = {**digest, "reason": "not today"}
    assert (await post(console, "/plans/P-1/reject", reject, csrf))["http"] == 200
    told = await post(console, "/session/prove", {}, csrf)
    assert told["methods"] == ["password"]
    wrong = {"ticket": told["ticket"], "password": "wrong wrong"}
    assert (await post(console, "/session/password", wrong))["http"] == 401
    right = {"ticket": told["ticket"], "password": PASSWORD}
    assert (await post(console, "/session/password", right))["http"] == 200
    assert (await post(console, "/plans/P-1/approve", digest, csrf))["http"] == 200


async def test_sg07_who_has_a_second_factor_proves_himself_by_it(console: Console) -> None:
    csrf = await console.sign_in("op")
    secret = await enrol_code(console, csrf)
    await make_stale(console)
    told = await post(console, "/session/prove", {}, csrf)
    assert told["methods"] == ["code"]
    by_password = {"ticket": told["ticket"], "password": PASSWORD}
    assert (await post(console, "/session/password", by_password))["http"] == 401
    by_code = {"ticket": told["ticket"], "code": code_of(secret, now_step())}
    done = await post(console, "/session/code", by_code)
    assert (done["http"], done["factor"]) == (200, "code")
    digest = {"digest": PLAN.digest()}
    assert (await post(console, "/plans/P-1/approve", digest, csrf))["http"] == 200


async def test_a_proof_is_for_the_session_that_asked(console: Console) -> None:
    csrf = await console.sign_in("op")
    told = await post(console, "/session/prove", {}, csrf)
    await console.sign_in("op")  # another session, in the same browser
    right = {"ticket": told["ticket"], "password": PASSWORD}
    assert (await post(console, "/session/password", right))["http"] == 401


async def test_sg31_accounts_by_one_person_roles_by_another_and_a_link_to_begin(
    console: Console,
) -> None:
    users = console.store.users
    await users.add_user("sec", "Security", "SECADM", PASSWORD)
    await users.add_user("rba", "Roles", "RBACMNT", PASSWORD)
    csrf = await console.sign_in("sec")
    made = await post(console, "/users", {"name": "new", "full_name": "New Person"}, csrf)
    assert made["http"] == 201
    role = {"role": "OPERATOR", "areas": ["north"], "reason": "trained and signed off"}
    assert (await post(console, "/users/new/role", role, csrf))["http"] == 403
    own = await post(console, "/users/sec/reset", {"reason": "for me"}, csrf)
    assert (own["http"], own["code"]) == (409, "own_account")
    csrf = await console.sign_in("rba")
    assert (await post(console, "/users/new/role", role, csrf))["http"] == 200
    assert (await post(console, "/users/new/reset", {"reason": "why"}, csrf))["http"] == 403
    assert (await post(console, "/users/rba/role", role, csrf))["code"] == "own_account"
    bad = await post(console, "/users/new/role", {**role, "areas": ["mars"]}, csrf)
    assert "mars" in bad["detail"]
    token = made["link"].rpartition("/")[2]
    weak = await post(console, "/set-up", {"token": token, "password": "New Person 1"})
    assert (weak["http"], weak["code"]) == (409, "weak_password")
    chosen = {"token": token, "password": PASSWORD}
    assert (await post(console, "/set-up", chosen))["user"] == "new"
    assert (await post(console, "/set-up", chosen))["code"] == "bad_link"
    told = await post(console, "/session", {"user": "new", "password": PASSWORD})
    assert (told["role"], told["areas"]) == ("OPERATOR", "north")
    assert (await console.store.verify_audit()).ok


async def test_sg31_a_reset_takes_password_factors_and_sessions(console: Console) -> None:
    csrf = await console.sign_in("op")
    await enrol_code(console, csrf)
    await console.store.users.add_user("sec", "Security", "SECADM", PASSWORD)
    async with console.beside() as other:
        told = await other.post("/api/v1/session", json={"user": "sec", "password": PASSWORD})
        headers = {"X-CSRF-Token": (await told.json())["csrf"]}
        done = await other.post(
            "/api/v1/users/op/reset", json={"reason": "phone lost"}, headers=headers
        )
        assert done.status == 200
    assert (await console.client.get("/api/v1/overview")).status == 401
    assert not (await console.store.factors.of("op")).any
    gone = await post(console, "/session", {"user": "op", "password": PASSWORD})
    assert gone["http"] == 401


async def test_a_code_of_the_plain_page(console: Console) -> None:
    secret = await enrol_code(console, await console.sign_in("op"))
    form = {"user": "op", "password": PASSWORD, "code": code_of(secret, now_step())}
    async with console.beside() as other:
        without = await other.post("/plain/login", data={**form, "code": ""})
        assert without.status == 401
        done = await other.post("/plain/login", data=form)
        assert "Signed in as op" in await done.text()
