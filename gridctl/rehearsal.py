"""The scripted persons of `gridctl demo --script`, and what they do, stage by stage."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gridctl.assembly import OPENADR_PREFIX, Ready
from gridctl.config import Settings
from gridctl.instructor import Instructor
from gridctl.model.clock import Clock
from gridctl.model.command import CommandState
from gridctl.model.errors import GridctlError, RefusedError
from gridctl.model.plan import PlanState
from gridctl.remote import Remote

EVENT_KW = 400.0
POLL_S = 0.3
SHORT_LIFE_S = 2.0
QUIET_S = 8.0


STAGES = (
    ("observe", 30.0),
    ("forecast", 20.0),
    ("request", 10.0),
    ("plan", 30.0),
    ("verify", 5.0),
    ("approve", 15.0),
    ("dispatch", 45.0),
    ("effect", 45.0),
    ("stop", 10.0),
    ("audit", 10.0),
)
"""The stages in their order, and how many real seconds each may take."""

FACTS = (
    "break",
    "points_read",
    "forecast",
    "request",
    "plan",
    "verification",
    "approvals",
    "commands",
    "commands_sent",
    "effect",
    "stop",
    "audit",
)
"""What the JSON object tells besides `ok` and `stages`; null: the loop ended before that."""


class StageFailed(Exception):  # noqa: N818 - read as a sentence
    """A stage did not really happen; the message says why."""


@dataclass(slots=True)
class Report:
    """The one JSON object."""

    stages: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(FACTS))

    @property
    def ok(self) -> bool:
        """Whether every stage of the loop happened, and nothing else went wrong."""
        done = [s["name"] for s in self.stages if s["ok"]]
        return done == [name for name, _ in STAGES] and len(done) == len(self.stages)

    def as_json(self) -> dict[str, Any]:
        """The object as it is printed."""
        return {"ok": self.ok, **self.facts, "stages": self.stages}


def stage(name: str, ok: bool, seconds: float, reason: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "seconds": round(seconds, 2), "reason": reason}


class Rehearsal:
    """The scripted persons and what they do, stage by stage."""

    def __init__(
        self,
        ready: Ready,
        settings: Settings,
        instructor: Instructor,
        break_name: str | None,
        report: Report,
    ) -> None:
        self._ready = ready
        self._clock: Clock = settings.grid_clock()
        self._sim = instructor
        self._break = break_name
        self._report = report
        self._operators = [Remote(ready.url) for _ in ready.users]
        self._plan: dict[str, Any] = {}
        self._requests: list[dict[str, Any]] = []

    async def walk(self) -> None:
        """All stages in order; stops at the first that fails. Always tells what was sent."""
        for name, deadline_s in STAGES:
            work: Callable[[], Awaitable[str]] = getattr(self, name)
            began_s = self._clock.monotonic_s()
            try:
                reason = await asyncio.wait_for(work(), deadline_s)
            except TimeoutError:
                ok, reason = False, f"not within {deadline_s:g} s"
            except (StageFailed, GridctlError) as error:
                ok, reason = False, str(error)
            else:
                ok = True
            seconds = self._clock.monotonic_s() - began_s
            self._report.stages.append(stage(name, ok, seconds, reason))
            print(f"{'ok  ' if ok else 'FAIL'} {name:<10} {reason}", file=sys.stderr)
            if not ok:
                break
        with contextlib.suppress(GridctlError):
            self._report.facts["commands_sent"] = await self._sim.commands()

    async def _get(self, path: str) -> dict[str, Any]:
        return await asyncio.to_thread(self._operators[0].get, path)

    async def _wait(self, path: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Poll until `wanted`; the stage's own deadline ends it."""
        while True:
            answer = await self._get(path)
            if wanted(answer):
                return answer
            await asyncio.sleep(POLL_S)

    async def observe(self) -> str:
        """Every link up, every point read and good."""
        for operator, made in zip(self._operators, self._ready.users, strict=True):
            await asyncio.to_thread(operator.sign_in, made.name, made.secret)
        await self._wait(
            "/overview",
            lambda f: (
                f["field_connected"]
                and len(f["links"]) > 0
                and all(link["state"] == "up" for link in f["links"])
                and f["head"]["quality"] == "good"
            ),
        )
        if self._break == "frozen-feed":
            await self._sim.ask({"do": "fault", "name": "frozen-feed", "on": True})
            await self._wait("/overview", lambda f: f["head"]["quality"] != "good")
        read, bad = await self._count_points()
        self._report.facts["points_read"] = dict(read)
        if bad:
            blocked = self._ready.desk.picture().blocked
            raise StageFailed(
                f"{bad} points are not good; dispatch is blocked: {'; '.join(blocked) or 'no'}"
            )
        return f"{sum(read.values())} points over {', '.join(sorted(read))}"

    async def _count_points(self) -> tuple[Counter[str], int]:
        """Good points by protocol, and the number of the others; waits for the first values."""
        picture = self._ready.desk.picture()
        while len(picture.snapshot.values) < sum(
            1 for p in picture.points.values() if not p.kind.commandable
        ):
            await asyncio.sleep(POLL_S)
            picture = self._ready.desk.picture()
        protocol = {link.link: link.protocol for link in picture.links}
        read: Counter[str] = Counter()
        bad = 0
        for found in picture.snapshot.values.values():
            if found.quality.is_good:
                read[protocol[picture.points[found.point].link]] += 1
            else:
                bad += 1
        return read, bad

    async def forecast(self) -> str:
        """A forecast with quantiles, judged on the days before."""
        frame = await self._wait("/overview", lambda f: f["forecast"] is not None)
        found = frame["forecast"]
        horizon_h = len(found["p50"]) * found["step_s"] / 3600
        self._report.facts["forecast"] = {
            "horizon_h": horizon_h,
            "nmae_pct": found["nmae_pct"],
            "method": found["method"],
        }
        peak = max(found["p90"])
        limit = frame["head"]["limit_kw"]
        if peak <= limit:
            raise StageFailed(f"forecast peak {peak:.0f} kW stays below the limit {limit:.0f} kW")
        return f"P90 peaks at {peak:.0f} kW, limit {limit:.0f} kW, over {horizon_h:g} h"

    async def request(self) -> str:
        """A customer system asks for 400 kW for two hours from now, over OpenADR."""
        client = self._ready.clients[0]
        remote = Remote(self._ready.url)

        def post() -> dict[str, Any]:
            token = remote.form(
                f"{OPENADR_PREFIX}/auth/token",
                {
                    "grant_type": "client_credentials",
                    "client_id": client.name,
                    "client_secret": client.secret,
                },
            )["access_token"]
            program = remote.call(
                "POST",
                f"{OPENADR_PREFIX}/programs",
                {"programName": "peak-relief"},
                bearer=token,
            )
            return remote.call(
                "POST",
                f"{OPENADR_PREFIX}/events",
                {
                    "programID": program["id"],
                    "eventName": "hot afternoon",
                    "payloadDescriptors": [
                        {
                            "objectType": "EVENT_PAYLOAD_DESCRIPTOR",
                            "payloadType": "DISPATCH_SETPOINT_RELATIVE",
                            "units": "KW",
                        }
                    ],
                    "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT2H"},
                    "intervals": [
                        {
                            "id": 0,
                            "payloads": [
                                {"type": "DISPATCH_SETPOINT_RELATIVE", "values": [EVENT_KW]}
                            ],
                        }
                    ],
                },
                bearer=token,
            )

        event = await asyncio.to_thread(post)
        frame = await self._wait(
            "/overview", lambda f: any(r["event_id"] == event["id"] for r in f["requests"])
        )
        self._report.facts["request"] = {"event": event["id"], "kw": EVENT_KW}
        return f"{EVENT_KW:g} kW for 2 h; {len(frame['requests'])} request on the console"

    async def plan(self) -> str:
        """A plan that answers the request."""
        event = self._report.facts["request"]["event"]

        def answers(plan: dict[str, Any]) -> bool:
            return plan["state"] in ("proposed", "partial") and any(
                r["event_id"] == event and r["id"] in plan["requests"] for r in self._requests
            )

        while True:
            frame = await self._get("/overview")
            self._requests = frame["requests"]
            found = [p for p in frame["plans"] if answers(p)]
            if found:
                break
            await asyncio.sleep(POLL_S)
        self._plan = await self._get(f"/plans/{found[0]['id']}")
        self._report.facts["plan"] = {
            "id": self._plan["id"],
            "digest": self._plan["digest"],
            "kw": self._plan["net_kw"],
            "controls": self._plan["controls"],
            "status": self._plan["status"],
            "solve_s": self._plan["solve_s"],
        }
        return f"{self._plan['id']}: {self._plan['net_kw']:.0f} kW, {self._plan['controls']}"

    async def verify(self) -> str:
        """The AC check passed, and says what it compared."""
        check = self._plan["check"]
        if check is None:
            raise StageFailed("the plan has no AC check")
        keys = ("worst_voltage_pu", "worst_loading_pct", "violations")
        self._report.facts["verification"] = {
            "engine": check["engine"],
            "before": {k: check["before"][k] for k in keys},
            "after": {k: check["after"][k] for k in keys},
        }
        if not check["ok"]:
            raise StageFailed("; ".join(check["reasons"]))
        return f"lowest voltage {check['after']['worst_voltage_pu']} pu after"

    async def approve(self) -> str:
        """As many persons as the plan's size asks for, each on exactly this digest."""
        digest = self._plan["digest"]
        if self._break == "tampered-plan":
            digest = ("0" if digest[0] != "0" else "1") + digest[1:]
        if self._break == "expired-plan":
            await asyncio.sleep(SHORT_LIFE_S * 1.5)
        persons = list(self._operators)
        if self._break == "wrong-approver":
            persons = [persons[0], persons[0]]
        detail = self._plan
        for person in persons:
            if detail["approvals"] >= detail["approvals_needed"]:
                break
            try:
                detail = await asyncio.to_thread(
                    person.post, f"/plans/{self._plan['id']}/approve", {"digest": digest}
                )
            except RefusedError as error:
                raise StageFailed(f"refused: {error}") from None
        self._report.facts["approvals"] = detail["approved_by"]
        if detail["approvals"] < detail["approvals_needed"]:
            raise StageFailed(f"{detail['approvals']} of {detail['approvals_needed']} approvals")
        if self._break == "wrong-approver":
            raise StageFailed("one person could approve alone")
        names = ", ".join(a["by"] for a in detail["approved_by"])
        return f"{detail['approvals']} of {detail['approvals_needed']}: {names}"

    async def dispatch(self) -> str:
        """Every command confirmed by its feedback point."""
        if self._break in ("rejected-select", "dead-outstation"):
            await self._sim.ask({"do": "fault", "name": self._break, "target": "DR", "on": True})
        path = f"/commands?plan={self._plan['id']}"
        good = {CommandState.CONFIRMED, CommandState.EFFECTIVE, CommandState.RELEASED}
        bad = {
            CommandState.REFUSED,
            CommandState.EXPIRED,
            CommandState.FAILED,
            CommandState.UNCONFIRMED,
        }

        # How many must come: what moves in the first two intervals. Fewer may: the second interval
        # may have begun before the second person approved, and a change below a point's tolerance
        # is no command. Then it is over when nothing more has come for a while.
        wanted = sum(1 for row in self._plan["rows"] if all(row["series_kw"][:2]))
        count, since_s = 0, self._clock.monotonic_s()
        try:
            while True:
                rows = (await self._get(path))["commands"]
                if len(rows) != count:
                    count, since_s = len(rows), self._clock.monotonic_s()
                is_whole = count >= max(wanted, 1) or (
                    count > 0 and self._clock.monotonic_s() - since_s > QUIET_S
                )
                failed = [r for r in rows if r["state"] in bad]
                if failed or (is_whole and all(r["state"] in good for r in rows)):
                    break
                await self._still_active()
                await asyncio.sleep(POLL_S)
        finally:
            await self._count_commands()
        if failed:
            first = failed[0]
            raise StageFailed(
                f"{first['name']}: {first['state']} {first['status']} {first['detail']}"
            )
        return f"{len(rows)} commands confirmed by measurement"

    async def _still_active(self) -> None:
        plan = await self._get(f"/plans/{self._plan['id']}")
        if PlanState(plan["state"]).is_final:
            raise StageFailed(f"the plan ended as {plan['state']}: {plan['reason']}")

    async def _count_commands(self) -> None:
        rows = (await self._get(f"/commands?plan={self._plan['id']}"))["commands"]
        counts: dict[str, Counter[str]] = {}
        for row in rows:
            counts.setdefault(row["protocol"] or "unknown", Counter())[row["state"].upper()] += 1
        self._report.facts["commands"] = {k: dict(v) for k, v in counts.items()}

    async def effect(self) -> str:
        """The feeder head came down as promised, measured."""
        frame = await self._wait(
            "/overview",
            lambda f: (
                f["effect"] is not None
                and f["effect"]["plan"] == self._plan["id"]
                and f["effect"]["settled"]
            ),
        )
        found = frame["effect"]
        self._report.facts["effect"] = {
            "expected_kw": found["expected_kw"],
            "measured_kw": found["measured_kw"],
        }
        if not found["kept"]:
            raise StageFailed(
                f"expected {found['expected_kw']} kW, measured {found['measured_kw']} kW"
            )
        await self._wait(
            f"/commands?plan={self._plan['id']}",
            lambda a: any(r["state"] == CommandState.EFFECTIVE for r in a["commands"]),
        )
        await self._count_commands()
        return f"expected {found['expected_kw']:.0f} kW, measured {found['measured_kw']:.0f} kW"

    async def stop(self) -> str:
        """STOP: nothing arrives at the devices a second later."""
        answer = await asyncio.to_thread(
            self._operators[0].post, "/stop", {"reason": "end of the script"}
        )
        self._report.facts["stop"] = {"latency_s": answer["latency_s"]}
        await asyncio.sleep(1.0)
        before = await self._sim.commands()
        await asyncio.sleep(2.0)
        after = await self._sim.commands()
        if after != before:
            raise StageFailed(f"{after - before} commands arrived after STOP")
        return f"confirmed by the field in {answer['latency_s']:.2f} s"

    async def audit(self) -> str:
        """The chain of everything that was done is whole."""
        check = await self._get("/audit/verify")
        self._report.facts["audit"] = {"rows": check["rows"], "chain_ok": check["ok"]}
        if not check["ok"]:
            raise StageFailed(f"broken at row {check['first_bad']}: {check['detail']}")
        return f"{check['rows']} rows, chain whole"
