"""/api/v1/users: who may sign in. SECADM makes and resets accounts, RBACMNT gives roles and areas:
nobody can do both, and nobody can do either to himself (SG-31)."""

from __future__ import annotations

import secrets

from aiohttp import web

from gridctl.control.ports import AuditEntry
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.web.api import body_of
from gridctl.web.auth import person_of
from gridctl.web.people import SETUP_LIFE_S, People
from gridctl.web.problem import problem
from gridctl.web.roles import Role
from gridctl.web.signin_pages import areas_text, text_of

NAME_CHARS_MAX = 64
REASON_MIN = 3
FIRST_PASSWORD_BYTES = 32


class UserPages:
    """The handlers."""

    def __init__(self, *, people: People, clock: Clock) -> None:
        self._people = people
        self._clock = clock

    async def users(self, request: web.Request) -> web.StreamResponse:
        """Everybody, without a secret."""
        rows = []
        for user in await self._people.users.users():
            held = await self._people.factors.of(user.name)
            rows.append(
                {
                    "name": user.name,
                    "full_name": user.full_name,
                    "role": user.role,
                    "areas": user.areas.split(",") if user.areas else [],
                    "source": user.source,
                    "locked_s": round(user.locked_s),
                    "code": held.totp is not None,
                    "keys": len(held.keys),
                }
            )
        return web.json_response(
            {"users": rows, "areas": sorted(self._people.areas), "roles": [r.value for r in Role]}
        )

    async def add(self, request: web.Request) -> web.StreamResponse:
        """A new person, who may look and nothing more, and the link to choose a password."""
        body = await body_of(request, name=str, full_name=str)
        name = text_of(body, "name", longest=NAME_CHARS_MAX)
        full_name = text_of(body, "full_name", longest=NAME_CHARS_MAX)
        await self._people.users.add_user(
            name,
            full_name,
            Role.VIEWER,
            secrets.token_urlsafe(FIRST_PASSWORD_BYTES),
            areas="",
            audit=self._entry(request, "add user", name, after=Role.VIEWER),
        )
        return web.json_response(
            {"link": await self._link(request, name, "first set-up")}, status=201
        )

    async def reset(self, request: web.Request) -> web.StreamResponse:
        """Password, factors and sessions of a person are over; a link to begin again."""
        body = await body_of(request, reason=str)
        name = request.match_info["user"]
        self._not_oneself(request, name)
        return web.json_response({"link": await self._link(request, name, _reason(body))})

    async def remove(self, request: web.Request) -> web.StreamResponse:
        """An account is gone, with its factors and sessions."""
        body = await body_of(request, reason=str)
        name = request.match_info["user"]
        self._not_oneself(request, name)
        await self._people.users.remove(
            name, audit=self._entry(request, "remove user", name, reason=_reason(body))
        )
        return web.json_response({})

    async def assign(self, request: web.Request) -> web.StreamResponse:
        """Another role, other areas."""
        body = await body_of(request, one_of={"role": Role}, role=str, areas=list, reason=str)
        name = request.match_info["user"]
        self._not_oneself(request, name)
        areas = areas_text(body, sorted(self._people.areas))
        before = await self._people.users.user(name)
        shown = "" if before is None else f"{before.role} for {before.areas or 'no area'}"
        await self._people.users.set_role(
            name,
            role=body["role"],
            areas=areas,
            audit=self._entry(
                request,
                "assign role",
                name,
                before=shown,
                after=f"{body['role']} for {areas or 'no area'}",
                reason=_reason(body),
            ),
        )
        return web.json_response({})

    async def set_up(self, request: web.Request) -> web.StreamResponse:
        """The person behind a set-up link chooses a password; the link is used up."""
        body = await body_of(request, token=str, password=str)
        real_s = self._people.real.now_s()
        found = await self._people.factors.setup_for(body["token"], now_s=real_s)
        if found is None:
            return problem(401, "bad_link", "This set-up link is used, too old, or no link of ours")
        name, full_name = found
        faults = self._people.password_faults(body["password"], user=name, full_name=full_name)
        if faults:
            return problem(409, "weak_password", "Choose another password", reasons=faults)
        await self._people.users.set_password(
            name,
            body["password"],
            audit=self._entry(request, "choose password", name, who=name),
            link=body["token"],
        )
        return web.json_response({"user": name})

    async def _link(self, request: web.Request, name: str, reason: str) -> str:
        token = await self._people.factors.reset(
            name,
            until_s=self._people.real.now_s() + SETUP_LIFE_S,
            audit=self._entry(request, "reset user", name, reason=reason),
        )
        # Behind the #: a browser sends it to no server, and no proxy keeps it.
        return f"{self._people.origin}/#/setup/{token}"

    def _not_oneself(self, request: web.Request, name: str) -> None:
        if person_of(request).user == name:
            reason = "nobody does this to himself: ask another person with your role"
            raise RefusedError(Refusal(code="own_account", reasons=(reason,)))

    def _entry(
        self,
        request: web.Request,
        action: str,
        about: str,
        *,
        before: str = "",
        after: str = "",
        reason: str = "",
        who: str = "",
    ) -> AuditEntry:
        person = None if who else person_of(request)
        return AuditEntry(
            at_s=self._clock.now_s(),
            who=who if person is None else person.user,
            session="" if person is None else person.session,
            source=request.remote or "local",
            role="" if person is None else person.role,
            action=action,
            object=about,
            before=before,
            after=after,
            reason=reason,
            plan_digest="",
            result="done",
        )


def _reason(body: dict[str, object]) -> str:
    reason = str(body["reason"]).strip()
    if len(reason) < REASON_MIN:
        raise RefusedError(Refusal(code="no_reason", reasons=("say why, for those who read it",)))
    return reason
