"""Sessions of people: cookie, CSRF token, permission of each route.

The session token is 256 random bits that only the browser has; the store keeps its hash. The CSRF
token is derived from it, so that a page of another site cannot know it. Deny by default: a route
without a rule does not get past `guard`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiohttp import web

from gridctl.control.ports import Person
from gridctl.web.problem import problem
from gridctl.web.proving import RECOVERY, SECOND_FACTORS, Proved
from gridctl.web.roles import PERMISSIONS, Permission, Role, lacking_areas, may

COOKIE_TLS = "__Host-gridctl"
COOKIE_PLAIN = "gridctl_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

IDLE_MAY = frozenset({Permission.VIEW, Permission.STOP, Permission.OWN})
"""What an idle session keeps: the picture and STOP (SG-32), and to prove itself again."""
UNENROLLED_MAY = IDLE_MAY
"""What a session keeps whose person must enrol a second factor first."""

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
AreasOf: TypeAlias = Callable[[web.Request], Awaitable[Iterable[str]]]


class SessionLike(Protocol):
    """What auth needs to know of a session."""

    @property
    def id(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def full_name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def idle(self) -> bool: ...
    @property
    def areas(self) -> str: ...
    @property
    def factor(self) -> str: ...
    @property
    def proved_s(self) -> float: ...


class Sessions(Protocol):
    """The store's sessions; real seconds for their life."""

    async def open(self, user: str, source: str, *, factor: str = "password") -> str: ...

    async def prove_again(self, token: str, *, factor: str) -> None: ...

    async def of(self, token: str, *, active: bool = True) -> SessionLike | None: ...

    async def close(self, token: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request's session, once it has been proved."""

    token: str
    session: SessionLike

    @property
    def csrf(self) -> str:
        return csrf_of(self.token)


SIGNED: web.RequestKey[Signed] = web.RequestKey("signed", Signed)


def csrf_of(token: str) -> str:
    """The CSRF token that belongs to a session token."""
    return hashlib.sha256(b"gridctl csrf\0" + token.encode()).hexdigest()


def source_of(request: web.Request) -> str:
    """The peer's address as the socket says it: no header is trusted for it."""
    return request.remote or "local"


def person_of(request: web.Request) -> Person:
    """Who acts in this request; only behind `guard`."""
    session = request[SIGNED].session
    return Person(
        user=session.user,
        session=session.id,
        source=source_of(request),
        role=session.role,
        factor=session.factor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a route asks for. `step_up`: a proof that is fresh (SG-07). `areas`: which areas the
    act is about; the person must answer for all of them (SG-31)."""

    permission: Permission
    step_up: bool = False
    areas: AreasOf | None = None


class Gate:
    """Lets requests through to handlers: session, CSRF, origin, permission, areas, fresh proof.

    `step_up_s`: how long a proof is fresh. `factor_roles`: roles that act only with a second
    factor.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        secure: bool,
        step_up_s: float,
        factor_roles: frozenset[str] = frozenset(),
    ) -> None:
        self._sessions = sessions
        self._secure = secure
        self._step_up_s = step_up_s
        self._factor_roles = factor_roles
        self.cookie = COOKIE_TLS if secure else COOKIE_PLAIN

    async def signed(self, request: web.Request, *, active: bool = True) -> Signed | None:
        """The session of the request's cookie, or None. `active`: counts as use by a person."""
        token = request.cookies.get(self.cookie)
        if not token:
            return None
        session = await self._sessions.of(token, active=active)
        return None if session is None else Signed(token=token, session=session)

    async def admit(self, request: web.Request, proved: Proved) -> Signed | None:
        """A session for who has proved himself: a new one, in which an old one of the same
        browser ends, or the one that the proof was for, fresh again."""
        old = request.cookies.get(self.cookie)
        if proved.session:
            if old != proved.session:
                return None
            await self._sessions.prove_again(old, factor=proved.factor)
            return await self.signed(request)
        if old:
            await self._sessions.close(old)
        token = await self._sessions.open(
            proved.user.name, source_of(request), factor=proved.factor
        )
        session = await self._sessions.of(token)
        return None if session is None else Signed(token=token, session=session)

    async def log_out(self, signed: Signed) -> None:
        """The token is worthless from now on."""
        await self._sessions.close(signed.token)

    def set_cookie(self, response: web.StreamResponse, signed: Signed) -> None:
        """Give the browser its token."""
        response.set_cookie(
            self.cookie,
            signed.token,
            path="/",
            httponly=True,
            secure=self._secure,
            samesite="Strict",
        )

    def guard(self, handler: Handler, rule: Rule) -> Handler:
        """`handler` behind session, CSRF and all that the rule asks for."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            signed = await self.signed(request)
            if signed is None:
                return problem(401, "not_signed_in", "Sign in first")
            if request.method not in SAFE_METHODS:
                refusal = await self._cross_site(request, signed)
                if refusal is not None:
                    return refusal
            refusal = await self._forbidden(request, signed.session, rule)
            if refusal is not None:
                return refusal
            request[SIGNED] = signed
            return await handler(request)

        return guarded

    def lacks_factor(self, session: SessionLike) -> bool:
        """Whether the person must enrol, or show, a second factor before acting. Who came in by a
        recovery code must, whatever his role."""
        if session.factor == RECOVERY:
            return True
        return session.role in self._factor_roles and session.factor not in SECOND_FACTORS

    async def _forbidden(
        self, request: web.Request, session: SessionLike, rule: Rule
    ) -> web.Response | None:
        permission = rule.permission
        if session.idle and permission not in IDLE_MAY:
            return problem(
                401, "session_idle", "Your session is locked", detail="sign in again to act"
            )
        if not may(session.role, permission):
            return problem(
                403,
                "forbidden",
                "Not allowed",
                detail=f"role {session.role} has no permission {permission.value}",
            )
        if permission not in UNENROLLED_MAY and self.lacks_factor(session):
            return problem(
                403,
                "second_factor_missing",
                "A second factor is needed",
                detail=f"a {session.role} acts here with a code generator or a security key: enrol "
                "one under your name, then sign in with it",
            )
        if rule.areas is not None:
            lacking = lacking_areas(session.areas, await rule.areas(request))
            if lacking:
                return problem(
                    403,
                    "foreign_area",
                    "Not your area",
                    detail=f"{session.user} does not answer for {', '.join(lacking)}",
                )
        if rule.step_up and session.proved_s > self._step_up_s:
            return problem(
                403,
                "step_up",
                "Prove again who you are",
                detail=f"your last proof is older than {self._step_up_s:g} s (SG-07)",
            )
        return None

    async def _cross_site(self, request: web.Request, signed: Signed) -> web.Response | None:
        if not same_origin(request):
            return problem(403, "foreign_origin", "Request from another site")
        sent = request.headers.get(CSRF_HEADER)
        if sent is None and request.content_type == "application/x-www-form-urlencoded":
            sent = str((await request.post()).get("csrf", ""))
        if sent != signed.csrf:
            return problem(403, "csrf", f"Header {CSRF_HEADER} is missing or wrong")
        return None


def same_origin(request: web.Request) -> bool:
    """Whether Origin and Sec-Fetch-Site, where the browser sent them, say it is our own page."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.split("://", 1)[-1] != request.host:
        return False
    return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")


def session_view(signed: Signed) -> dict[str, object]:
    """api.ts Session."""
    session = signed.session
    return {
        "user": session.user,
        "name": session.full_name,
        "role": session.role,
        "areas": session.areas,
        "factor": session.factor,
        "csrf": signed.csrf,
        "may": sorted(p.value for p in PERMISSIONS[Role(session.role)]),
    }
