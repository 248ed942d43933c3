"""/api/v1/session: sign in, by as many steps as the person has factors; prove again; sign out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from gridctl.control.ports import AuditEntry, Desk, Store
from gridctl.model.clock import Clock
from gridctl.web.api import BadBody, body_of
from gridctl.web.auth import SIGNED, Gate, same_origin, session_view, source_of
from gridctl.web.people import People
from gridctl.web.problem import problem
from gridctl.web.proving import Proved, Proving, Ticket

USER_CHARS_MAX = 64
WRONG = "User or password is wrong, or locked for now"
WRONG_FACTOR = "That does not prove it, or the account is locked for now"


class SignInPages:
    """The handlers. A refusal says neither whether a name exists nor whether it is locked."""

    def __init__(
        self,
        *,
        gate: Gate,
        proving: Proving,
        people: People,
        store: Store,
        desk: Desk,
        clock: Clock,
        has_provider: bool = False,
    ) -> None:
        self._gate = gate
        self._proving = proving
        self._people = people
        self._store = store
        self._desk = desk
        self._clock = clock
        self._has_provider = has_provider

    async def ways(self, request: web.Request) -> web.StreamResponse:
        """How one may sign in here; for the page that asks."""
        keys = self._people.keys
        return web.json_response(
            {
                "provider": self._has_provider,
                "key_origin": None if keys is None else keys.origin,
                "codes": self._people.sealer is not None,
            }
        )

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """User and password."""
        body = await body_of(request, user=str, password=str)
        name = body["user"]
        found = await self.password(name, body["password"])
        if isinstance(found, Ticket):
            await self.note(request, name, "second factor asked for")
            return needs_factor(found)
        if found is None:
            await self.note(request, name, "refused")
            return problem(401, "bad_credentials", WRONG)
        return await self.admitted(request, found)

    async def password(self, name: str, password: str) -> Proved | Ticket | None:
        """The first step, for every page that asks for a password."""
        if not self._people.may_use_password(name):
            return None
        return await self._proving.begin(name, password)

    async def prove(self, request: web.Request) -> web.StreamResponse:
        """A ticket for a fresh proof of the person of this session (SG-07)."""
        await body_of(request)
        signed = request[SIGNED]
        ticket = await self._proving.begin_again(signed.session.user, signed.token)
        if ticket is None:
            return problem(401, "not_signed_in", "Sign in first")
        return web.json_response({"ticket": ticket.token, "methods": list(ticket.methods)})

    async def by_password(self, request: web.Request) -> web.StreamResponse:
        """The password once more."""
        body = await body_of(request, ticket=str, password=str)
        if not same_origin(request):
            return problem(403, "foreign_origin", "Request from another site")
        user = self._proving.purpose(body["ticket"])[0]
        return await self._settled(
            request, user, await self._proving.by_password(body["ticket"], body["password"])
        )

    async def by_code(self, request: web.Request) -> web.StreamResponse:
        """A code of the person's generator."""
        body = await body_of(request, ticket=str, code=str)
        if not same_origin(request):
            return problem(403, "foreign_origin", "Request from another site")
        user = self._proving.purpose(body["ticket"])[0]
        return await self._settled(
            request, user, await self._proving.by_code(body["ticket"], body["code"])
        )

    async def by_recovery(self, request: web.Request) -> web.StreamResponse:
        """One of the person's recovery codes."""
        body = await body_of(request, ticket=str, code=str)
        if not same_origin(request):
            return problem(403, "foreign_origin", "Request from another site")
        user = self._proving.purpose(body["ticket"])[0]
        proved = await self.recovered(request, body["ticket"], body["code"])
        return await self._settled(request, user, proved)

    async def recovered(self, request: web.Request, ticket: str, code: str) -> Proved | None:
        """A recovery code, for every page that asks for one; its use is an audit row."""
        user = self._proving.purpose(ticket)[0]
        used = self._row(request, user, action="recovery code", object_=user, result="used up")
        return await self._proving.by_recovery(ticket, code, audit=used)

    async def key_challenge(self, request: web.Request) -> web.StreamResponse:
        """What the security key has to sign."""
        body = await body_of(request, ticket=str)
        options = self._proving.challenge(body["ticket"])
        if options is None:
            return problem(401, "bad_credentials", "No security key is asked for any more")
        return web.json_response(options)

    async def by_key(self, request: web.Request) -> web.StreamResponse:
        """The signature of a security key."""
        body = await body_of(request, ticket=str, credential=dict)
        if not same_origin(request):
            return problem(403, "foreign_origin", "Request from another site")
        user = self._proving.purpose(body["ticket"])[0]
        return await self._settled(
            request, user, await self._proving.by_key(body["ticket"], body["credential"])
        )

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Who is signed in."""
        return web.json_response(
            session_view(request[SIGNED])
            | {"lacks_factor": self._gate.lacks_factor(request[SIGNED].session)}
        )

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """The session is over."""
        await self._gate.log_out(request[SIGNED])
        response = web.Response(status=204)
        response.del_cookie(self._gate.cookie, path="/")
        return response

    async def admitted(
        self, request: web.Request, proved: Proved, *, page: str = ""
    ) -> web.StreamResponse:
        """The session of who has proved himself: its JSON, or a step to `page`."""
        signed = await self._gate.admit(request, proved)
        if signed is None:
            return problem(401, "bad_credentials", WRONG_FACTOR)
        done = "proved again" if proved.session else "done"
        await self.note(
            request,
            proved.user.name,
            f"{done} by {proved.factor}" if proved.factor != "password" else done,
            session=signed.session.id,
            role=signed.session.role,
        )
        if self._people.local is not None and proved.user.source == "local":
            await self._desk.local_sign_in(proved.user.name, source=source_of(request))
        response: web.Response
        if page:
            response = web.Response(status=303, headers={"Location": page})
        else:
            response = web.json_response(
                session_view(signed) | {"lacks_factor": self._gate.lacks_factor(signed.session)}
            )
        self._gate.set_cookie(response, signed)
        return response

    async def _settled(
        self, request: web.Request, user: str, proved: Proved | None
    ) -> web.StreamResponse:
        if proved is None:
            await self.note(request, user, "refused: second proof")
            return problem(401, "bad_credentials", WRONG_FACTOR)
        return await self.admitted(request, proved)

    async def note(
        self, request: web.Request, user: str, result: str, *, session: str = "", role: str = ""
    ) -> None:
        """An audit row for each try; STOP needs no sign-in, so a failing audit stops only this."""
        row = self._row(request, user, result=result)
        async with self._store.transaction() as unit:
            await unit.audit(replace(row, session=session, role=role))

    def _row(
        self,
        request: web.Request,
        user: str,
        *,
        result: str,
        action: str = "sign in",
        object_: str = "session",
    ) -> AuditEntry:
        return AuditEntry(
            at_s=self._clock.now_s(),
            who=user[:USER_CHARS_MAX],
            session="",
            source=source_of(request),
            role="",
            action=action,
            object=object_,
            before="",
            after="",
            reason="",
            plan_digest="",
            result=result,
        )


def needs_factor(ticket: Ticket) -> web.Response:
    """The password was right; something that the person has must follow."""
    return problem(
        401,
        "second_factor",
        "A second factor is needed",
        extra={"ticket": ticket.token, "methods": list(ticket.methods)},
    )


def text_of(body: dict[str, object], name: str, *, longest: int) -> str:
    """A text field that is not empty. Raises BadBody."""
    value = str(body[name]).strip()
    if not value or len(value) > longest:
        raise BadBody(f"field {name!r} must have 1 to {longest} characters")
    return value


def areas_text(body: dict[str, object], known: Sequence[str]) -> str:
    """The areas of a body: "*" or names that the site has. Raises BadBody."""
    names = body["areas"]
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise BadBody("field 'areas' must be a list of names")
    if names == ["*"]:
        return "*"
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise BadBody(f"area {unknown[0]!r} is none of {', '.join(sorted(known))}")
    return ",".join(sorted(set(names)))
