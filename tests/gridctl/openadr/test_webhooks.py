"""Subscriptions and what they bring, to a receiver that really listens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gridctl.openadr.callbacks import CallbackError, CallbackPolicy, check_url, is_allowed
from gridctl.openadr.notifier import LADDER_S, Notifier, signature
from tests.gridctl.openadr.vtn import Vtn, event, program, running_vtn

LOOSE = CallbackPolicy(allow_http=True, allow_private=True)
STRICT = CallbackPolicy()


@dataclass
class Receiver:
    """A callback that keeps what it is told; `status` is what it answers."""

    url: str = ""
    status: int = 204
    echoes: bool = True
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: int = 0

    async def challenge(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=request.query["echo"] if self.echoes else "hello")

    async def told(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.read()))
        headers = {"Location": "/elsewhere"} if self.status == 302 else {}
        return web.Response(status=self.status, headers=headers)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.seen]

    async def until(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.seen) >= count

        await eventually(enough)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.add_routes([web.get("/hook", receiver.challenge), web.post("/hook", receiver.told)])
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def loose() -> AsyncIterator[Vtn]:
    async with running_vtn(callbacks=LOOSE) as running:
        yield running


def subscription(url: str, *objects: str, **more: Any) -> dict[str, Any]:
    operation = {
        "objects": list(objects) or ["EVENT"],
        "operations": more.pop("operations", ["CREATE", "UPDATE", "DELETE"]),
        "callbackUrl": url,
        "bearerToken": more.pop("bearer", None),
    }
    return {"clientName": "site 7", "objectOperations": [operation], **more}


async def subscribed(vtn: Vtn, body: dict[str, Any], who: str = "ven") -> dict[str, Any]:
    answer = await vtn.call("POST", "/subscriptions", body, who=who)
    assert answer.status == 201, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def test_create_update_delete_arrive_in_order_signed(loose: Vtn, receiver: Receiver) -> None:
    await subscribed(loose, subscription(receiver.url, bearer="abc"))
    assert receiver.asked == 1
    made = await loose.made("/programs", program())
    first = await loose.made("/events", event(made["id"]))
    await receiver.until(1)
    await loose.call("PUT", f"/events/{first['id']}", event(made["id"], eventName="later"))
    await receiver.until(2)
    await loose.call("DELETE", f"/events/{first['id']}")
    await receiver.until(3)
    bodies = receiver.bodies()
    assert [b["operation"] for b in bodies] == ["CREATE", "UPDATE", "DELETE"]
    assert {b["objectType"] for b in bodies} == {"EVENT"}
    assert bodies[0]["object"] == first
    assert bodies[1]["object"]["eventName"] == "later"
    secret = await loose.store.openadr.webhook_secret("ven")
    assert secret is not None
    for headers, body in receiver.seen:
        assert headers["Authorization"] == "Bearer abc"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_the_published_example_of_standard_webhooks() -> None:
    """Secret, id, time, body and signature of its specification; a secret of before `whsec_`
    stands for itself, and two secrets give two signatures."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    asked = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, *asked) == expected
    both = signature(f"{secret} old", *asked).split()
    assert both[0] == expected
    assert both[1] == signature("old", *asked)


async def test_nobody_hears_of_what_it_may_not_see(loose: Vtn, receiver: Receiver) -> None:
    grant = {"clientID": "ven", "venName": "mill", "targets": ["north"]}
    await loose.made("/vens", grant)
    await subscribed(loose, subscription(receiver.url))
    made = await loose.made("/programs", program())
    await loose.made("/events", event(made["id"], eventName="s", targets=["south"]))
    await loose.made("/events", event(made["id"], eventName="b", targets=["south", "north"]))
    await receiver.until(1)
    (body,) = receiver.bodies()
    assert body["object"]["eventName"] == "b"
    assert body["object"]["targets"] == body["targets"] == ["north"]


async def test_a_subscription_is_narrowed_by_program_object_and_operation(
    loose: Vtn, receiver: Receiver
) -> None:
    one = await loose.made("/programs", program("one"))
    two = await loose.made("/programs", program("two"))
    body = subscription(receiver.url, "EVENT", operations=["DELETE"], programID=one["id"])
    await subscribed(loose, body)
    other = await loose.made("/events", event(two["id"]))
    mine = await loose.made("/events", event(one["id"]))
    await loose.call("DELETE", f"/events/{other['id']}")
    await loose.call("DELETE", f"/events/{mine['id']}")
    await receiver.until(1)
    assert [(b["operation"], b["object"]["id"]) for b in receiver.bodies()] == [
        ("DELETE", mine["id"])
    ]


async def test_business_logic_hears_of_reports(loose: Vtn, receiver: Receiver) -> None:
    await subscribed(loose, subscription(receiver.url, "REPORT"), who="bl")
    made = await loose.made("/programs", program())
    about = await loose.made("/events", event(made["id"]))
    report = {"eventID": about["id"], "clientName": "s", "resources": []}
    assert (await loose.call("POST", "/reports", report, who="ven")).status == 201
    await receiver.until(1)
    assert receiver.bodies()[0]["object"]["clientID"] == "ven"


async def test_a_callback_that_does_not_echo_is_refused(loose: Vtn, receiver: Receiver) -> None:
    receiver.echoes = False
    answer = await loose.call("POST", "/subscriptions", subscription(receiver.url), who="ven")
    assert answer.status == 400
    assert "did not echo" in (await answer.json())["detail"]
    nowhere = subscription("http://127.0.0.1:9/hook")
    answer = await loose.call("POST", "/subscriptions", nowhere, who="ven")
    assert answer.status == 400
    assert "not reached" in (await answer.json())["detail"]
    assert await (await loose.call("GET", "/subscriptions", who="ven")).json() == []


async def test_the_strict_policy_refuses_http_and_private_addresses(vtn: Vtn) -> None:
    for url, word in (
        ("http://example.com/hook", "https"),
        ("https://127.0.0.1/hook", "public"),
        ("https://[::1]/hook", "public"),
        ("https://[::ffff:10.0.0.1]/hook", "public"),
        ("https://169.254.169.254/latest", "public"),
        ("https://user:pw@example.com/", "bearerToken"),
        ("ftp://example.com/", "https"),
        ("not a url", "https"),
        ("https:///nothing", "host"),
    ):
        answer = await vtn.call("POST", "/subscriptions", subscription(url), who="ven")
        detail = (await answer.json())["detail"]
        assert answer.status == 400, url
        assert word in detail, (url, detail)


async def test_a_name_that_means_a_private_address_is_not_called() -> None:
    async with running_vtn(callbacks=CallbackPolicy(allow_http=True)) as vtn, receiving() as inner:
        url = inner.url.replace("127.0.0.1", "localhost")
        answer = await vtn.call("POST", "/subscriptions", subscription(url), who="ven")
        assert answer.status == 400
        assert "public" in (await answer.json())["detail"]
        assert inner.asked == 0


def test_allowed_addresses() -> None:
    for address in (
        "10.1.2.3",
        "127.0.0.1",
        "::1",
        "fd00::1",
        "224.0.0.1",
        "100.64.0.1",
    ):
        assert not is_allowed(address, STRICT), address
    assert is_allowed("93.184.216.34", STRICT)
    with pytest.raises(CallbackError, match="fragment"):
        check_url("https://example.com/#x", STRICT)


async def test_a_redirect_is_not_followed_and_failures_climb_the_ladder_and_die(
    loose: Vtn, receiver: Receiver
) -> None:
    await subscribed(loose, subscription(receiver.url))
    made = await loose.made("/programs", program())
    receiver.status = 302
    await loose.made("/events", event(made["id"]))
    await receiver.until(1)
    for attempt, wait_s in enumerate(LADDER_S, start=2):
        await eventually(lambda: put_off(loose))
        loose.clock.advance(wait_s * 0.7)
        await asyncio.sleep(0.05)
        assert len(receiver.seen) == attempt - 1, "not before its time"
        loose.clock.advance(wait_s * 0.6)
        await nudged(loose, receiver, attempt)
    dead = await eventually(lambda: loose.store.outbox.dead(count_max=9))
    assert {headers["webhook-id"] for headers, _ in receiver.seen} == {f"msg-{dead[0].number}"}
    receiver.status = 204
    assert await loose.store.outbox.replay(dead[0].number, now_s=loose.clock.now_s())
    await nudged(loose, receiver, len(LADDER_S) + 2)
    assert not await loose.store.outbox.replay(dead[0].number, now_s=loose.clock.now_s())


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds as soon as it is something; 10 s at most."""
    async with asyncio.timeout(10.0):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.01)


async def nothing_waits(vtn: Vtn) -> bool:
    return await vtn.store.outbox.next_due_s() is None


async def put_off(vtn: Vtn) -> bool:
    """Whether the failed attempt is written down: the receiver has seen it a little earlier."""
    due_s = await vtn.store.outbox.next_due_s()
    return due_s is not None and due_s > vtn.clock.now_s()


async def nudged(vtn: Vtn, receiver: Receiver, count: int) -> None:
    """Any write makes the notifier look at once."""
    await vtn.call("POST", "/programs", {})
    await receiver.until(count)


async def test_what_waits_for_a_subscription_goes_with_it(loose: Vtn, receiver: Receiver) -> None:
    mine = await subscribed(loose, subscription(receiver.url))
    made = await loose.made("/programs", program())
    receiver.status = 500
    await loose.made("/events", event(made["id"]))
    await receiver.until(1)
    assert (await loose.call("DELETE", f"/subscriptions/{mine['id']}", who="ven")).status == 200
    loose.clock.advance(100.0)
    await loose.call("POST", "/programs", {})
    await asyncio.sleep(0.1)
    assert len(receiver.seen) == 1
    assert await loose.store.outbox.next_due_s() is None


async def test_messages_outlive_the_server(loose: Vtn, receiver: Receiver) -> None:
    """A change that was kept and not yet told is told by whoever comes next."""
    await subscribed(loose, subscription(receiver.url))
    made = await loose.made("/programs", program())
    receiver.status = 500
    await loose.made("/events", event(made["id"]))
    await receiver.until(1)
    receiver.status = 204
    heir = Notifier(store=loose.store, clock=loose.clock, policy=LOOSE, uniform=lambda a, b: a)
    try:
        loose.clock.advance(LADDER_S[0] * 1.3)
        await heir.step()
    finally:
        await heir.close()
    assert len(receiver.seen) >= 2


async def test_subscriptions_can_be_found_by_object(loose: Vtn, receiver: Receiver) -> None:
    await subscribed(loose, subscription(receiver.url, "EVENT"))
    await subscribed(loose, subscription(receiver.url, "PROGRAM"))
    found = await (await loose.call("GET", "/subscriptions?objects=EVENT", who="ven")).json()
    assert [one["objectOperations"][0]["objects"] for one in found] == [["EVENT"]]
    assert (await loose.call("GET", "/subscriptions?objects=X", who="ven")).status == 400


async def test_old_messages_are_forgotten(loose: Vtn, receiver: Receiver) -> None:
    await subscribed(loose, subscription(receiver.url))
    made = await loose.made("/programs", program())
    await loose.made("/events", event(made["id"]))
    await receiver.until(1)
    await eventually(partial(nothing_waits, loose))
    assert await loose.store.outbox.sweep(before_s=loose.clock.now_s()) == 0
    assert await loose.store.outbox.sweep(before_s=loose.clock.now_s() + 1) == 1


async def test_a_callback_that_lets_wait_holds_up_nobody_else(loose: Vtn) -> None:
    reached, answer = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        reached.set()
        await answer.wait()
        return web.Response(text=request.query["echo"])

    app = web.Application()
    app.add_routes([web.get("/slow", slow)])
    async with TestServer(app) as server, receiving() as quick:
        waiting = asyncio.create_task(
            subscribed(loose, subscription(str(server.make_url("/slow"))))
        )
        async with asyncio.timeout(10.0):
            await reached.wait()
            await subscribed(loose, subscription(quick.url), who="bl")
        assert not waiting.done()
        answer.set()
        assert (await waiting)["clientName"] == "site 7"
