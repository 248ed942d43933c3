"""Who is calling: an OpenADR client by its bearer token, or a person by the console's session.

Business logic and people see everything; a VEN sees what belongs to its client and may answer for
it, withdraw it and report on it, nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from aiohttp import web

from gridctl.control.ports import Person
from gridctl.model.record import AuditEntry
from gridctl.openadr.auth import Auth, Caller
from gridctl.openadr.problem import ProblemError as OpenadrError
from gridctl.platform_api.problem import ProblemError
from gridctl.web.auth import AreasOf, Rule, person_of
from gridctl.web.roles import Permission


class Need(StrEnum):
    """What an operation asks of its caller. READ: its own or everything; READ_ALL: business logic
    and people; ANSWER: also the VEN that it is about; WRITE: business logic and operators."""

    OPEN = "open"
    READ = "read"
    READ_ALL = "read_all"
    ANSWER = "answer"
    WRITE = "write"
    DISPATCH = "dispatch"


_SCOPES = {
    Need.READ: ("read_all", "read_ven_objects"),
    Need.READ_ALL: ("read_all",),
    Need.ANSWER: ("write_vens",),
    Need.WRITE: ("write_vens",),
    Need.DISPATCH: ("write_events",),
}
_BUSINESS_ONLY = frozenset({Need.READ_ALL, Need.WRITE, Need.DISPATCH})
_PERMISSIONS = {
    Need.READ: Permission.VIEW,
    Need.READ_ALL: Permission.VIEW,
    Need.ANSWER: Permission.PROPOSE,
    Need.WRITE: Permission.PROPOSE,
    Need.DISPATCH: Permission.PROPOSE,
}

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard(Protocol):
    """The console's gate (`gridctl.web.auth.Gate`): session, CSRF, permission."""

    def guard(self, handler: Handle, rule: Rule) -> Handle: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. `owner`: the client whose objects alone it sees; None: everything. `client_id`: ""
    for a person."""

    client_id: str
    person: Person
    owner: str | None

    @property
    def name(self) -> str:
        """Key of limits and of idempotency."""
        return self.client_id or f"user {self.person.user}"

    def entry(
        self,
        action: str,
        object_: str,
        *,
        at_s: float,
        reason: str = "",
        before: str = "",
        after: str = "",
        result: str = "done",
    ) -> AuditEntry:
        """An audit row of something that it did."""
        return AuditEntry(
            at_s=at_s,
            who=self.person.user,
            session=self.person.session,
            source=self.person.source,
            role=self.person.role,
            action=action,
            object=object_,
            before=before,
            after=after,
            reason=reason,
            plan_digest="",
            result=result,
        )


ACTOR: web.RequestKey[Actor] = web.RequestKey("actor", Actor)


class Door:
    """Lets a request through to its handler as somebody."""

    def __init__(self, *, auth: Auth, gate: Guard | None) -> None:
        self._auth = auth
        self._gate = gate

    def let_in(self, handler: Handle, need: Need, areas: AreasOf | None = None) -> Handle:
        """`handler` behind a token or a session; `areas`: what a person has to answer for."""
        if need is Need.OPEN:
            return handler

        async def with_session(request: web.Request) -> web.StreamResponse:
            person = person_of(request)
            request[ACTOR] = Actor(client_id="", person=person, owner=None)
            return await handler(request)

        behind_gate = (
            None
            if self._gate is None
            else self._gate.guard(with_session, Rule(permission=_PERMISSIONS[need], areas=areas))
        )

        async def guarded(request: web.Request) -> web.StreamResponse:
            if behind_gate is not None and "Authorization" not in request.headers:
                return await behind_gate(request)
            request[ACTOR] = await self._client(request, need)
            return await handler(request)

        return guarded

    async def _client(self, request: web.Request, need: Need) -> Actor:
        try:
            caller: Caller = await self._auth.need(request, _SCOPES[need])
        except OpenadrError as refused:
            code = "forbidden" if refused.status == 403 else "not_signed_in"  # noqa: PLR2004 - HTTP
            raise ProblemError(code, refused.detail, headers=refused.headers) from refused
        if need in _BUSINESS_ONLY and not caller.is_business_logic:
            raise ProblemError("forbidden", "a VEN may not do this")
        return Actor(
            client_id=caller.client.client_id,
            person=caller.person(),
            owner=None if caller.is_business_logic else caller.client.client_id,
        )
