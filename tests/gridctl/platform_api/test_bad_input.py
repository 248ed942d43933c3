"""Bodies that nobody should send: a clear answer each, never a 500, and nothing grows."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import resource
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.gridctl.openadr.vtn import BASE as OPENADR
from tests.gridctl.openadr.vtn import event, program
from tests.gridctl.platform_api.house import BASE, House, running_house

WORDS: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 2**63, 2**200, "", "\x00", "\ud800", "a" * 300, "P9999Y",
    "0001-01-01", "2026-08-05T16:00:00Z", "9999-12-31T23:59:59Z", [], {}, [[]], {"type": "x"},
    float("nan"), float("inf"), "NaN", {"a": {"b": {"c": 1}}},
)  # fmt: skip
RAW = (
    b"", b"{", b"null", b"[]", b"\xff\xfe{}", b'{"a": NaN}', b'{"a": 1e999}', b'{"a":1,"a":2}',
    b'"' + b"x" * 5_000 + b'"', b"[" * 400, b'{"a":' * 60 + b"1" + b"}" * 60, b"\x00", b"1" * 4_000,
    b"\xef\xbb\xbf{}", "{\u2028}".encode(), b'{"name": "\\ud800"}',
)  # fmt: skip
TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data",
)


def bodies(seed: int) -> Iterator[tuple[str, str, bytes, str]]:
    """(method, address, body, content type), for ever."""
    rng = random.Random(seed)  # noqa: S311 - to be made again
    good: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{OPENADR}/programs", program()),
        ("POST", f"{OPENADR}/events", event("program-1")),
        ("POST", f"{OPENADR}/vens", {"venName": "v", "clientID": "ven"}),
        ("POST", f"{OPENADR}/subscriptions", {"clientName": "c", "objectOperations": []}),
        ("PUT", f"{OPENADR}/programs/program-1", program()),
        ("POST", f"{BASE}/customers", {"name": "c"}),
        ("POST", f"{BASE}/enrolments", {"resourceId": "RES-1", "program": "p"}),
        ("POST", f"{BASE}/telemetry", {"items": [{"resourceId": "r", "time": "x", "value": 1}]}),
        (
            "POST",
            f"{BASE}/dispatch-requests",
            {"name": "n", "start": "2026-08-05T16:00:00Z", "end": "2026-08-05T17:00:00Z",
             "targetKw": 1},
        ),
        ("PATCH", f"{BASE}/dispatch-requests/DSP-1", {"targetKw": 1, "reason": "why"}),
        ("PUT", f"{BASE}/participations/PAR-1", {"answer": "opt_in"}),
    ]  # fmt: skip
    while True:
        method, address, body = rng.choice(good)
        if rng.random() < 0.2:
            raw = rng.choice(RAW)
        else:
            broken = json.loads(json.dumps(body))
            for _ in range(rng.randint(1, 3)):
                key = rng.choice([*body, "id", "colour"])
                broken[key] = rng.choice(WORDS)
            raw = json.dumps(broken).encode(errors="surrogatepass")
        if rng.random() < 0.1:
            raw = raw[: rng.randrange(len(raw) + 1)]
        yield method, address, raw, TYPES[0] if rng.random() < 0.9 else rng.choice(TYPES)


async def fuzzed(house: House, count: int, seed: int) -> dict[int, int]:
    """Statuses of `count` bad requests."""
    seen: dict[int, int] = {}
    made = bodies(seed)
    for number in range(count):
        method, address, raw, kind = next(made)
        headers = {
            "Authorization": f"Bearer {house.tokens['bl']}",
            "Content-Type": kind,
            "Idempotency-Key": f"k{number % 50}",
            "If-Match": "*",
        }
        async with house.client.session.request(
            method, house.client.make_url(address), data=raw, headers=headers
        ) as answer:
            text = await answer.text()
            assert answer.status < 500, (method, address, raw, text)
            if answer.status >= 400:
                assert answer.content_type == "application/problem+json", (address, raw, text)
                assert json.loads(text)["detail"]
            seen[answer.status] = seen.get(answer.status, 0) + 1
    return seen


async def test_no_body_ends_in_500() -> None:
    async with running_house(per_s=1e6, burst=10**7) as house:
        seen = await fuzzed(house, 300, seed=1)
    assert seen.get(400, 0) > 100


@pytest.mark.soak
@pytest.mark.timeout(3_000)
async def test_a_hundred_thousand_bodies_and_nothing_grows() -> None:
    async with running_house(per_s=1e6, burst=10**7) as house:
        await fuzzed(house, 5_000, seed=2)
        gc.collect()
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await fuzzed(house, 95_000, seed=3)
        gc.collect()
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 60_000, f"grown by {grown_kb} kB"


async def test_a_slow_body_holds_up_nobody_and_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridctl.openadr.body.BODY_S", 1.0)
    url = house.client.make_url("/")
    assert url.port is not None
    for address in (f"{OPENADR}/programs", f"{BASE}/customers"):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = (
            f"POST {address} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {house.tokens['bl']}\r\n\r\n"
        )
        writer.write(head.encode() + b'{"programName": ')
        await writer.drain()
        await asyncio.sleep(0.1)
        async with asyncio.timeout(0.8):
            path = address.removeprefix(BASE) if address.startswith(BASE) else address
            name = {"programName": "quick", "name": "quick"}
            quick = {k: v for k, v in name.items() if (k == "name") == address.startswith(BASE)}
            await house.made(path, quick)
        async with asyncio.timeout(10.0):
            assert b" 408 " in await reader.readline()
        writer.close()


@pytest.mark.soak
async def test_a_thousand_idle_connections_disturb_nobody() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    try:
        async with running_house(per_s=1e6, burst=10**7) as house:
            url = house.client.make_url("/")
            assert url.port is not None
            idle = [await asyncio.open_connection(url.host, url.port) for _ in range(1_000)]
            async with ClientSession(connector=TCPConnector(limit=4)) as session:
                headers = {"Authorization": f"Bearer {house.tokens['bl']}"}
                for _ in range(100):
                    async with (
                        asyncio.timeout(2.0),
                        session.get(f"{url}api/v1/customers", headers=headers) as answer,
                    ):
                        assert answer.status == 200
            for _, writer in idle:
                writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
