"""One limit over the feeders of several offices (`gridctl substation`, ADR 0039).

Each office is asked for its planning task; the limit is split and every feeder planned and checked
by AC (`optimizer.substation`); each office then gets its share as dispatch requests, and plans,
verifies and puts them before its own people like any other. Nothing here moves anything.

Shares are levels, not steps: what an office has of this substation is compared with what it should
have, so that a cycle that is repeated, or was cut off half way, asks for nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import aiohttp
import numpy as np
from pydantic import ValidationError

from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.planning import Horizon, PlanningTask
from gridctl.substation_file import Member, SubstationFile
from optimizer.arrays import FloatArray
from optimizer.substation.engine import Engine
from optimizer.substation.levels import HOLD_KW, SubstationPlan, SubstationTask, plan_substation
from optimizer.worker import PLANNING_TASK

TOKEN_PATH = "/openadr3/3.1.0/auth/token"  # noqa: S105 - a path
ASK_S = 30.0
BEHIND_S, ASKED_AGAIN_MAX = 2.0, 3
"""An office that is a step behind the others is asked again after so long, so many times."""
TASK_MAX_BYTES, CHUNK_BYTES = 64 * 1024 * 1024, 256 * 1024
OPEN_STATES = ("received", "planned", "active", "not_submitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A reduction of a feeder's import that its office is asked for."""

    start_s: float
    end_s: float
    kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A share that an office has had of this substation: its id there; over or not."""

    id: str
    share: Share
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one office's share: kept, asked for, withdrawn; `trouble`: why not."""

    url: str
    feeder: str
    kept: int = 0
    asked: int = 0
    withdrawn: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Round:
    """One cycle: its task and plan (None where nobody could be planned for), the offices that have
    no part in it and why, and what was sent."""

    task: SubstationTask | None
    plan: SubstationPlan | None
    absent: dict[str, str]
    sent: tuple[Sent, ...] = ()


def shares_of(asked_kw: FloatArray, horizon: Horizon, step_kw: float) -> list[Share]:
    """What a feeder is asked for in each interval (T,), rounded up, one share for each run of
    intervals with the same kW."""
    level = np.where(
        asked_kw > HOLD_KW, np.ceil(np.round(asked_kw / step_kw, 6)) * step_kw, asked_kw
    )
    edges = [0, *(np.flatnonzero(np.diff(level)) + 1).tolist(), len(level)]
    return [
        Share(
            start_s=horizon.start_s + first * horizon.step_s,
            end_s=horizon.start_s + end * horizon.step_s,
            kw=float(level[first]),
        )
        for first, end in pairwise(edges)
        if level[first] > 0.0
    ]


def level_kw(shares: Sequence[Share], horizon: Horizon) -> FloatArray:
    """(T,) what `shares` ask for in each interval."""
    begin_s = horizon.start_s + horizon.step_s * np.arange(horizon.count)
    total = np.zeros(horizon.count)
    for share in shares:
        inside = (share.start_s < begin_s + horizon.step_s) & (share.end_s > begin_s)
        total += np.where(inside, share.kw, 0.0)
    return total


class OfficeLine:
    """The platform API of one office."""

    def __init__(self, member: Member, http: aiohttp.ClientSession, *, name: str) -> None:
        """`name`: of the shares at the office. Raises ConfigError for a CA that cannot be used."""
        self.url = member.url.rstrip("/")
        self._member, self._http, self._name = member, http, name
        self._token: str | None = None
        self._ssl: ssl.SSLContext | bool = True
        if member.ca is not None:
            try:
                self._ssl = ssl.create_default_context(cafile=str(member.ca))
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"no certificate: {error}", file=str(member.ca)) from None

    async def task(self) -> PlanningTask:
        """Its planning task, without the shares that it has of this substation. Raises
        UnavailableError."""
        body = await self._call("GET", "/api/v1/planning-task")
        try:
            task = PLANNING_TASK.validate_json(body)
        except ValidationError as wrong:
            raise UnavailableError(f"its planning task is not understood: {wrong}") from None
        if task is None:
            raise UnavailableError("it has no planning task")
        return replace(task, requests=tuple(r for r in task.requests if r.name != self._name))

    async def known(self) -> list[Standing]:
        """The shares that it has had of this substation, oldest first. Raises UnavailableError."""
        found: list[Standing] = []
        cursor = ""
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = await self._json("GET", f"/api/v1/dispatch-requests?limit=200{more}")
            found += [
                Standing(
                    id=str(item["id"]),
                    share=Share(
                        start_s=_at_s(item["start"]),
                        end_s=_at_s(item["end"]),
                        kw=float(item["targetKw"]),
                    ),
                    is_open=item["state"] in OPEN_STATES,
                )
                for item in page["items"]
                if item["name"] == self._name
            ]
            cursor = page["next"]
            if not cursor:
                return found

    async def ask(self, share: Share, key: str) -> None:
        """Ask for a share. The same key asks once. Raises UnavailableError."""
        body = {
            "name": self._name,
            "start": _when(share.start_s),
            "end": _when(share.end_s),
            "targetKw": share.kw,
            "reason": "split of the substation's limit",
        }
        await self._json("POST", "/api/v1/dispatch-requests", body, {"Idempotency-Key": key})

    async def withdraw(self, one: Standing) -> None:
        """Withdraw a share. Raises UnavailableError."""
        body = {"reason": "the substation's limit is split anew"}
        await self._json("POST", f"/api/v1/dispatch-requests/{one.id}/cancel", body)

    async def _json(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        return json.loads(await self._call(method, path, body, headers))

    async def _call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> bytes:
        try:
            async with asyncio.timeout(ASK_S):
                for fresh in (False, True):
                    if self._token is None:
                        self._token = await self._signed_in()
                    sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
                    async with self._http.request(
                        method, self.url + path, json=body, headers=sent, ssl=self._ssl
                    ) as answer:
                        if answer.status == 401 and not fresh:  # noqa: PLR2004
                            self._token = None
                            continue
                        return await _said(answer)
        except TimeoutError:
            raise UnavailableError(f"no answer within {ASK_S:g} s") from None
        except (aiohttp.ClientError, OSError) as gone:
            raise UnavailableError(str(gone) or type(gone).__name__) from None
        raise UnavailableError("it does not take our token")

    async def _signed_in(self) -> str:
        try:
            secret = self._member.secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"{self._member.secret_file}: {error}") from None
        form = {
            "grant_type": "client_credentials",
            "client_id": self._member.client_id,
            "client_secret": secret,
        }
        async with self._http.post(self.url + TOKEN_PATH, data=form, ssl=self._ssl) as answer:
            return str(json.loads(await _said(answer))["access_token"])


async def _said(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    # A read gives what is there, not all that comes.
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > TASK_MAX_BYTES:
            raise UnavailableError(f"its answer is longer than {TASK_MAX_BYTES} bytes")
    if answer.status >= 400:  # noqa: PLR2004
        said = body.decode(errors="replace")[:300]
        raise UnavailableError(f"{answer.status} {answer.reason}: {said}")
    return body


class Substation:
    """The desk: asks, splits, sends. One cycle at a time."""

    def __init__(self, file: SubstationFile, http: aiohttp.ClientSession, engine: Engine) -> None:
        """Raises ConfigError for a CA that cannot be used."""
        self._file, self._engine = file, engine
        name = f"share of {file.mrid}"
        self._offices = [OfficeLine(member, http, name=name) for member in file.feeder]

    async def cycle(self, *, send: bool) -> Round:
        """One cycle; without `send` nothing leaves. Raises SplitError where the limit cannot be
        split."""
        answers = await self._answers()
        absent = {
            office.url: str(answer)
            for office, answer in zip(self._offices, answers, strict=True)
            if isinstance(answer, UnavailableError)
        }
        present = [
            (office, answer)
            for office, answer in zip(self._offices, answers, strict=True)
            if isinstance(answer, PlanningTask)
        ]
        # Offices round to the same steps; one whose clock is another's is left out.
        starts = [task.horizon for _, task in present]
        if not starts:
            return Round(task=None, plan=None, absent=absent)
        horizon = max(starts, key=lambda h: (starts.count(h), h.start_s))
        for office, one in present:
            if one.horizon != horizon:
                absent[office.url] = "its horizon is another one than that of most"
        seen: set[str] = set()
        for office, one in present:
            if one.feeder.mrid in seen and office.url not in absent:
                absent[office.url] = f"feeder {one.feeder.mrid} is another office's already"
            seen.add(one.feeder.mrid)
        present = [(o, t) for o, t in present if o.url not in absent]
        task = SubstationTask(
            mrid=self._file.mrid,
            cycle=f"{horizon.start_s:.0f}",
            feeders=tuple(t for _, t in present),
            limit_kw=(self._file.limit_kw,) * horizon.count,
        )
        plan = await asyncio.to_thread(
            plan_substation, task, self._engine, deadline_s=self._file.deadline_s
        )
        done = Round(task=task, plan=plan, absent=absent)
        if not send:
            return done
        sent = await asyncio.gather(
            *(
                self._sent(office, one, plan.asked_kw[k], plan)
                for k, (office, one) in enumerate(present)
            )
        )
        return replace(done, sent=tuple(sent))

    async def _answers(self) -> list[PlanningTask | UnavailableError]:
        """The tasks of all offices. At the end of a step some have begun the next one and some have
        not: those are asked again."""
        answers = list(await asyncio.gather(*(_outcome(o.task()) for o in self._offices)))
        for _ in range(ASKED_AGAIN_MAX):
            starts = {
                k: a.horizon.start_s for k, a in enumerate(answers) if isinstance(a, PlanningTask)
            }
            behind = [k for k, start_s in starts.items() if start_s < max(starts.values())]
            if not behind:
                break
            await asyncio.sleep(BEHIND_S)
            again = await asyncio.gather(*(_outcome(self._offices[k].task()) for k in behind))
            for k, answer in zip(behind, again, strict=True):
                answers[k] = answer
        return answers

    async def _sent(
        self, office: OfficeLine, task: PlanningTask, asked_kw: FloatArray, plan: SubstationPlan
    ) -> Sent:
        """Bring an office's shares to what they should be."""
        feeder = task.feeder.mrid
        if feeder in plan.failed:
            return Sent(url=office.url, feeder=feeder, trouble=f"no plan: {plan.failed[feeder]}")
        wanted = shares_of(asked_kw, task.horizon, self._file.step_kw)
        kept = asked = withdrawn = 0
        try:
            known = await office.known()
            standing = [one for one in known if one.is_open]
            now_kw = level_kw([s.share for s in standing], task.horizon)
            aim_kw = level_kw(wanted, task.horizon)
            if bool(np.all(np.abs(now_kw - aim_kw) <= self._file.band_kw)) and (
                bool(standing) or not wanted
            ):
                return Sent(url=office.url, feeder=feeder, kept=len(standing))
            there = {s.share for s in standing}
            # First less, then more: asks that overlap add up.
            for one in standing:
                if one.share in wanted:
                    kept += 1
                else:
                    await office.withdraw(one)
                    withdrawn += 1
            for share in wanted:
                if share not in there:
                    await office.ask(share, self._key(feeder, share, known))
                    asked += 1
        except UnavailableError as error:
            return Sent(
                url=office.url, feeder=feeder, kept=kept, asked=asked, withdrawn=withdrawn,
                trouble=str(error),
            )  # fmt: skip
        return Sent(url=office.url, feeder=feeder, kept=kept, asked=asked, withdrawn=withdrawn)

    def _key(self, feeder: str, share: Share, known: Sequence[Standing]) -> str:
        """Of a share that is asked for after all that are `known`: while the office shows no newer
        one, to ask again is to ask once."""
        about = repr((self._file.mrid, feeder, share, known[-1].id if known else ""))
        return hashlib.sha256(about.encode()).hexdigest()


async def _outcome(call: Any) -> PlanningTask | UnavailableError:
    try:
        found: PlanningTask = await call
    except UnavailableError as error:
        return error
    return found


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat().replace("+00:00", "Z")


def _at_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
