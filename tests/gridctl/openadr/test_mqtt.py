"""Changes told by a real broker (mosquitto), under the ACL that we make for it, to real clients."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gridctl.openadr.broker_notifier import MqttPolicy
from gridctl.openadr.mqtt import Broker, BrokerError, Publisher
from gridctl.openadr.topics import acl
from tests.gridctl.openadr.vtn import Vtn, event, program, running_vtn
from tests.ports import free_port

PASSWORD = "of-the-broker"
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(
    MOSQUITTO is None or shutil.which("mosquitto_sub") is None,
    reason="mosquitto and mosquitto-clients are not installed (apt-get install …)",
)


class RealBroker:
    """mosquitto in a folder of its own; `start` and `stop` as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        for user in ("gridctl", "bl", "ven", "ven2"):
            subprocess.run(
                ["mosquitto_passwd", "-b", *(["-c"] if user == "gridctl" else []),
                 str(folder / "users"), user, PASSWORD],
                check=True, capture_output=True,
            )  # fmt: skip
        self.allow([])
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {folder / 'users'}\nacl_file {folder / 'acl'}\n"
            "user root\npersistence false\n",
            encoding="utf-8",
        )

    def allow(self, clients: list[tuple[str, str, str | None]]) -> None:
        """Write the ACL; a running broker reads it again."""
        (self.folder / "acl").write_text(acl("openadr", "gridctl", clients), encoding="utf-8")
        if self.process is not None:
            self.process.send_signal(1)
            time.sleep(0.2)

    def start(self) -> None:
        assert MOSQUITTO is not None
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def policy(self) -> MqttPolicy:
        broker = Broker(host="127.0.0.1", port=self.port, user="gridctl", password=PASSWORD)
        return MqttPolicy(
            broker=broker,
            uris=(f"mqtt://127.0.0.1:{self.port}",),
            authentication="OAUTH2_BEARER_TOKEN",
        )


@dataclass
class Ear:
    """mosquitto_sub as a user: what it hears, as (topic, body)."""

    process: asyncio.subprocess.Process

    async def hear(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        assert self.process.stdout is not None
        found: list[tuple[str, dict[str, Any]]] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                line = (await self.process.stdout.readline()).decode()
                if line.startswith("openadr/"):  # all else is what -d tells
                    topic, _, body = line.partition(" ")
                    found.append((topic, json.loads(body)))
        return found

    async def hears_nothing(self, real_s: float = 0.5) -> bool:
        try:
            async with asyncio.timeout(real_s):
                await self.hear(1)
        except TimeoutError:
            return True
        return False


Listen = Callable[..., Awaitable[Ear]]


@pytest.fixture
async def listening(broker: RealBroker) -> AsyncIterator[Listen]:
    """`await listening(user, *topics)`: subscribed when it returns."""
    ears: list[Ear] = []

    async def listen(user: str, *topics: str) -> Ear:
        words = [word for topic in topics for word in ("-t", topic)]
        process = await asyncio.create_subprocess_exec(
            "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port),
            "-u", user, "-P", PASSWORD, "-q", "1", "-F", "%t %p", "-d", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        ears.append(Ear(process))
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while b"SUBACK" not in await process.stdout.readline():
                assert process.returncode is None
        return ears[-1]

    yield listen
    for ear in ears:
        ear.process.kill()  # asked to end, it once said goodbye for ever
        await ear.process.communicate()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealBroker]:
    with _running(tmp_path) as found:
        yield found


@contextmanager
def _running(folder: Path) -> Iterator[RealBroker]:
    found = RealBroker(folder)
    found.start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
async def vtn(broker: RealBroker) -> AsyncIterator[Vtn]:
    async with running_vtn(mqtt=broker.policy()) as running:
        yield running


async def drained(vtn: Vtn) -> None:
    """Until the broker has everything."""
    for _ in range(100):
        if not await vtn.store.publications.waiting(count_max=50):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the broker does not get what waits")


async def test_notifiers_and_topics(vtn: Vtn, broker: RealBroker) -> None:
    told = await (await vtn.call("GET", "/notifiers")).json()
    assert told == {
        "WEBHOOK": True,
        "MQTT": {
            "URIS": [f"mqtt://127.0.0.1:{broker.port}"],
            "serialization": "JSON",
            "authentication": {"method": "OAUTH2_BEARER_TOKEN", "username": "{clientID}"},
        },
    }
    topics = "/notifiers/mqtt/topics"
    found = await (await vtn.call("GET", f"{topics}/events")).json()
    assert found["topics"] == {
        "CREATE": "openadr/bl/events/create",
        "UPDATE": "openadr/bl/events/update",
        "DELETE": "openadr/bl/events/delete",
        "ALL": "openadr/bl/events/+",
    }
    ven = await (await vtn.call("POST", "/vens", {"venName": "s"}, who="ven")).json()
    found = await (await vtn.call("GET", f"{topics}/vens/{ven['id']}", who="ven")).json()
    assert found["topics"] == {
        "UPDATE": f"openadr/vens/{ven['id']}/update",
        "DELETE": f"openadr/vens/{ven['id']}/delete",
        "ALL": f"openadr/vens/{ven['id']}/+",
    }
    found = await (await vtn.call("GET", f"{topics}/programs", who="ven")).json()
    assert found["topics"]["ALL"] == "openadr/open/programs/+"
    assert (await vtn.call("GET", f"{topics}/events", who="ven")).status == 403
    assert (await vtn.call("GET", f"{topics}/vens/ven-0", who="ven")).status == 404


async def test_each_hears_what_it_may_see(vtn: Vtn, broker: RealBroker, listening: Listen) -> None:
    ven = await (await vtn.call("POST", "/vens", {"venName": "s"}, who="ven")).json()
    body = {"objectType": "BL_VEN_REQUEST", "clientID": "ven", "venName": "s", "targets": ["west"]}
    await vtn.call("PUT", f"/vens/{ven['id']}", body)
    broker.allow([("bl", "business-logic", None), ("ven", "ven", ven["id"]), ("ven2", "ven", None)])
    await drained(vtn)
    bl = await listening("bl", "openadr/bl/#")
    mine = await listening("ven", f"openadr/vens/{ven['id']}/#", "openadr/open/#")
    other = await listening("ven2", "openadr/#")
    made = await vtn.made("/programs", program(targets=["west", "east"]))
    await vtn.made("/events", event(made["id"], targets=["east"]))
    heard = await mine.hear(1)
    assert heard[0][0] == f"openadr/vens/{ven['id']}/programs/create"
    assert heard[0][1]["object"]["targets"] == heard[0][1]["targets"] == ["west"]
    topics = [topic for topic, _ in await bl.hear(4)]
    assert topics == [
        "openadr/bl/programs/create",
        f"openadr/bl/programs/{made['id']}/create",
        "openadr/bl/events/create",
        f"openadr/bl/programs/{made['id']}/events/create",
    ]
    assert await other.hears_nothing()
    await vtn.made("/programs", program("for all"))
    assert [t for t, _ in await other.hear(1)] == ["openadr/open/programs/create"]


async def test_what_happened_while_the_broker_was_away_is_told_after(
    vtn: Vtn, broker: RealBroker, listening: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridctl.openadr.broker_notifier.AGAIN_S", 0.2)
    broker.allow([("bl", "business-logic", None)])
    broker.stop()
    for name in ("A", "B", "C"):
        await vtn.made("/programs", program(name))
    await asyncio.sleep(0.3)
    assert len(await vtn.store.publications.waiting(count_max=50)) == 6
    broker.start()
    await drained(vtn)
    # a subscriber that comes now hears the next change
    bl = await listening("bl", "openadr/bl/programs/+")
    await vtn.made("/programs", program("D"))
    assert (await bl.hear(1))[0][1]["object"]["programName"] == "D"


async def test_a_broker_that_says_no(broker: RealBroker) -> None:
    for _ in range(50):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        break
    wrong = Publisher(Broker(host="127.0.0.1", port=broker.port, user="gridctl", password="x"))
    with pytest.raises(BrokerError, match=r"not authorised|wrong"):
        await wrong.publish("openadr/x", b"{}")
    closed = Publisher(Broker(host="127.0.0.1", port=free_port()))
    with pytest.raises(BrokerError):
        await closed.publish("openadr/x", b"{}")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x05", b"\xff" * 9, b"\x20\x01"],
)
async def test_what_is_no_broker_ends_in_words(answer: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BrokerError):
            await Publisher(Broker(host="127.0.0.1", port=port)).publish("t", b"")
