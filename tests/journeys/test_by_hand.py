"""A customer system as in the README, then two operators at the command line as in section 3 of
docs/tutorial/loop-without-a-browser.md; a VEN reports, and the customer system reads what came of
it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridctl.config import load_settings
from gridctl.instructor import Instructor
from gridctl.store.engine import open_store
from tests.journeys.running_demo import RunningDemo, gridctl, make_quick_pilot, running_demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PLAN_S = 60.0
FOLLOW_S = 60.0
SECRETS = {
    "customer-system": "a-secret-of-the-customer-system",
    "site-7": "a-secret-of-the-site-of-a-ven",
}


class Operator:
    """One person at a terminal of their own."""

    def __init__(self, demo: RunningDemo, name: str) -> None:
        self._instance = str(demo.instance)
        self._environment = {
            **os.environ,
            "GRIDCTL_USER": name,
            "GRIDCTL_PASSWORD": demo.secrets[name],
        }

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            gridctl(*words, "--instance", self._instance),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def asks(self, *words: str) -> Any:
        """The JSON answer of a command that succeeds."""
        done = self.says(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def until(ask: Callable[[], Any], within_s: float, why: Callable[[], str]) -> Any:
    """What `ask` answers as soon as it is true."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        found = ask()
        if found:
            return found
        time.sleep(1.0)
    raise AssertionError(f"not within {within_s:g} s:\n{why()}")


def at_devices(demo: RunningDemo) -> int:
    """Commands that the simulated devices have counted."""
    return asyncio.run(Instructor(demo.instance / "run" / "sim.sock").commands())


def demand_event_of_the_readme(demo: RunningDemo) -> Any:
    """The README's lines, as they stand there but for the port; the event that was created."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "openadr3" in b]
    assert ":8080/" in block
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.replace(":8080/", f":{demo.port}/")],
        env={**os.environ, "SECRET": SECRETS["customer-system"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def add_clients(instance: Path) -> None:
    """As `gridctl openadr client add` does, before the first start."""
    settings = load_settings(instance / "gridctl.toml")
    store = await open_store(settings.database.url, clock=settings.grid_clock())
    try:
        await store.openadr.add_client(
            "customer-system", "business-logic", SECRETS["customer-system"]
        )
        await store.openadr.add_client("site-7", "ven", SECRETS["site-7"])
    finally:
        await store.close()


class Client:
    """A system of somebody else's, with a token."""

    def __init__(self, demo: RunningDemo, client_id: str, secret: str | None = None) -> None:
        self._url = demo.url
        form = {"grant_type": "client_credentials", "client_id": client_id}
        form["client_secret"] = secret or SECRETS[client_id]
        data = urllib.parse.urlencode(form).encode()
        url = f"{self._url}/openadr3/3.1.0/auth/token"
        with urllib.request.urlopen(url, data, timeout=20) as answer:  # noqa: S310 - our own
            self._token = json.load(answer)["access_token"]

    def asks(self, path: str, body: object = None) -> Any:
        """The JSON of a GET, or of a POST of `body`."""
        request = urllib.request.Request(  # noqa: S310 - our own
            self._url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own
            return json.load(answer)


def reports_about(event: Any, ven: Client) -> None:
    """A site that has a meter and no field device says what it did."""
    openadr = "/openadr3/3.1.0"
    found = ven.asks(f"{openadr}/vens", {"venName": "site 7"})
    ven.asks(f"{openadr}/resources", {"resourceName": "meter", "venID": found["id"]})
    assert event["id"] in [e["id"] for e in ven.asks(f"{openadr}/events?active=true")]
    payloads = [
        {"type": "READING", "values": [371.5]},
        {"type": "DATA_QUALITY", "values": ["OK"]},
    ]
    interval = {"id": 0, "payloads": payloads}
    ven.asks(
        f"{openadr}/reports",
        {
            "eventID": event["id"],
            "clientName": "site-7",
            "resources": [{"resourceName": "meter", "intervals": [interval]}],
        },
    )


def test_two_operators_at_the_command_line(tmp_path: Path) -> None:
    pilot = make_quick_pilot(tmp_path / "pilot")
    asyncio.run(add_clients(pilot))
    with running_demo(pilot, rate=10.0) as demo:
        first, second = Operator(demo, "operator-a"), Operator(demo, "operator-b")
        event = demand_event_of_the_readme(demo)
        customer, ven = Client(demo, "customer-system"), Client(demo, "site-7")
        outcome = f"/api/v1/dispatch-requests/{event['id']}/outcome"
        assert customer.asks(outcome)["summary"]["took_part"] == 0
        assert event["eventName"] == "hot afternoon", event
        requests = first.asks("status")["requests"]
        mine = [r["id"] for r in requests if r["event_id"] == event["id"]]
        assert len(mine) == 1, requests

        def large_plan() -> Any:
            plans = first.asks("plan", "list")["plans"]
            found = [p for p in plans if p["state"] == "proposed" and p["approvals_needed"] == 2]
            return found[0] if found and mine[0] in found[0]["requests"] else None

        plan = until(large_plan, PLAN_S, demo.why)
        shown = first.says("plan", "show", plan["id"])
        assert plan["digest"] in shown.stdout, shown.stderr
        assert "AC check (gridctl Z-bus): passed" in shown.stdout

        approve = ("plan", "approve", plan["id"], "--digest", plan["digest"][:12])
        assert "partial, 1 of 2" in first.says(*approve).stdout
        again = first.says(*approve)
        assert again.returncode == 1
        assert "a second person is needed" in again.stderr
        done = second.says(*approve)
        assert "2 of 2" in done.stdout, done.stderr
        until(lambda: at_devices(demo) > 0, FOLLOW_S, demo.why)

        reports_about(event, ven)

        def came_of_it() -> Any:
            told = customer.asks(outcome)
            by_device = {p["device"]: p["outcome"] for p in told["participants"]}
            took_part = [d for d, word in by_device.items() if d and word == "took_part"]
            return told if took_part else None

        told = until(came_of_it, FOLLOW_S, demo.why)
        assert plan["id"] in [p["id"] for p in told["plans"]]
        (site,) = [p for p in told["participants"] if p["openadrResource"] == "meter"]
        assert site["outcome"] == "took_part"

        status = first.says("status")
        assert "Feeder head" in status.stdout
        assert plan["id"] in status.stdout
        assert first.says("stop", "--reason", "end of the tutorial").returncode == 0
        until(lambda: first.asks("status")["stopped"], 10.0, demo.why)
        sent = at_devices(demo)
        time.sleep(2.0)
        assert at_devices(demo) == sent
        with demo.signed_in("operator-a") as remote:
            rows = remote.get("/audit?limit=20")["rows"]
        stops = [row for row in rows if row["action"] == "stop"]
        assert [(row["who"], row["reason"]) for row in stops] == [
            ("stop file", "the stop file is there: end of the tutorial")
        ]
        assert first.says("audit", "verify").returncode == 0
        assert demo.interrupt() == 0
