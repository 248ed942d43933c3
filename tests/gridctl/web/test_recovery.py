"""Recovery codes and the QR code of a generator, with and without a script (SG-07)."""

from __future__ import annotations

import base64
import re

from gridctl.model.recovery import CODES, new_codes, parsed
from gridctl.model.totp import code_of
from gridctl.web.proving import TRIES_MAX
from gridctl.web.qrcode import QUIET, qr_code
from tests.gridctl.web.conftest import PASSWORD, Console
from tests.gridctl.web.test_signin import enrol_code, first_step, now_step, post


async def codes_of(console: Console, csrf: str) -> list[str]:
    made = await post(console, "/factors/recovery", {}, csrf)
    assert made["http"] == 200, made
    return [str(code) for code in made["codes"]]


async def use(console: Console, code: str) -> dict[str, object]:
    told = await first_step(console)
    done = await post(console, "/session/recovery", {"ticket": told["ticket"], "code": code})
    return dict(done)


async def test_sg07_a_recovery_code_lets_in_once_to_look_and_to_enrol(console: Console) -> None:
    csrf = await console.sign_in("op")
    refused = await post(console, "/factors/recovery", {}, csrf)
    assert refused["code"] == "no_factor", "they stand for a factor"
    await enrol_code(console, csrf)
    codes = await codes_of(console, csrf)
    assert len(set(codes)) == CODES
    told = await first_step(console)
    assert told["methods"] == ["code", "recovery"]
    done = await use(console, codes[2].upper().replace("-", " "))
    assert (done["http"], done["factor"], done["lacks_factor"]) == (200, "recovery", True)
    csrf = str(done["csrf"])
    act = await post(console, "/plans", {}, csrf)
    assert (act["http"], act["code"]) == (403, "second_factor_missing")
    stop = await post(console, "/stop", {"reason": "smoke"}, csrf)
    assert stop["http"] == 200, "STOP is everybody's"
    assert (await use(console, codes[2]))["http"] == 401, "each is good once"
    # The lost generator is replaced, and the new one is the whole person again.
    secret = await enrol_code(console, csrf)
    told = await first_step(console)
    code = code_of(secret, now_step())
    whole = await post(console, "/session/code", {"ticket": told["ticket"], "code": code})
    assert (whole["factor"], whole["lacks_factor"]) == ("code", False)
    rows = [r.entry for r in await console.store.audit_rows(limit=50)]
    assert [r.result for r in rows if r.action == "recovery code"] == ["used up"]
    assert [r.after for r in rows if r.action == "make recovery codes"] == [str(CODES)]
    assert "done by recovery" in {r.result for r in rows}


async def test_sg07_codes_of_another_and_of_before_are_worth_nothing(console: Console) -> None:
    csrf = await console.sign_in("op")
    await enrol_code(console, csrf)
    before = await codes_of(console, csrf)
    codes = await codes_of(console, csrf)
    assert (await use(console, before[0]))["http"] == 401
    assert (await use(console, new_codes()[0]))["http"] == 401
    assert (await use(console, "1-nonsense"))["http"] == 401
    assert (await use(console, codes[0]))["http"] == 200


async def test_sg32_guessing_recovery_codes_locks_the_account(console: Console) -> None:
    csrf = await console.sign_in("op")
    await enrol_code(console, csrf)
    await codes_of(console, csrf)
    for _ in range(TRIES_MAX):
        await use(console, new_codes()[0])
    assert await console.store.users.locked_for_s("op") > 0


async def test_sg07_only_argon2id_is_kept_and_a_reset_ends_them(console: Console) -> None:
    csrf = await console.sign_in("op")
    await enrol_code(console, csrf)
    codes = await codes_of(console, csrf)
    stored = await console.store.factors.recovery_hash("op", 1)
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert codes[0] not in stored
    assert (await console.store.factors.of("op")).recovery_left == CODES


async def test_sg07_a_fresh_proof_takes_the_factor_itself(console: Console) -> None:
    csrf = await console.sign_in("op")
    await enrol_code(console, csrf)
    await codes_of(console, csrf)
    told = await post(console, "/session/prove", {}, csrf)
    assert told["methods"] == ["code"]


async def test_sg07_the_plain_page_enrols_and_recovers_without_a_script(console: Console) -> None:
    csrf = await console.sign_in("op")

    async def form(path: str, **fields: str) -> str:
        answer = await console.client.post(path, data={"csrf": csrf, **fields})
        assert answer.status == 200, await answer.text()
        return await answer.text()

    text = await form("/plain/factors/code")
    assert '<svg viewBox="0 0 ' in text
    assert "style=" not in text
    secret = re.findall(r"<code>([A-Z2-7]+)</code>", text)[0]
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    assert "is enrolled" in await form("/plain/factors/confirm", code=code_of(raw, now_step() - 1))
    codes = re.findall(r"<code>([1-8]-\w{5}-\w{5})</code>", await form("/plain/factors/recovery"))
    assert len(codes) == CODES
    told = await console.client.post(
        "/plain/login",
        data={"user": "op", "password": PASSWORD, "code": codes[4]},
        allow_redirects=False,
    )
    assert told.status == 303
    page = await (await console.client.get("/plain/factors")).text()
    assert f"good: {CODES - 1}." in page


def test_codes_are_read_however_they_are_typed() -> None:
    code = new_codes()[0]
    for typed in (code, code.upper(), code.replace("-", " "), code.replace("-", "")):
        assert parsed(typed) == (1, code)
    for typed in ("", "123456", f"9{code[1:]}", f"{code}x", code.replace("-", "0")):
        assert parsed(typed) is None


def test_a_qr_code_has_its_three_corners_and_its_quiet_zone() -> None:
    """What cameras look for first (ISO/IEC 18004 §6.3.3); a reader has read one by hand."""
    found = qr_code("otpauth://totp/x")
    dark = [[False] * found.size for _ in range(found.size)]
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", found.path):
        for at in range(int(x), int(x) + int(length)):
            dark[int(y)][at] = True
    finder = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]
    last = found.size - QUIET - 7
    for left, top in ((QUIET, QUIET), (last, QUIET), (QUIET, last)):
        square = ["".join("01"[d] for d in row[left : left + 7]) for row in dark[top : top + 7]]
        assert square == finder
    assert not any(any(row[:QUIET]) or any(row[-QUIET:]) for row in dark)
    assert not any(any(row) for row in (*dark[:QUIET], *dark[-QUIET:]))
