"""Sessions of people: cookie, CSRF token, permission of each route.

The session token is 256 random bits that only the browser has; the store keeps its hash. The CSRF
token is derived from it, so that a page of another site cannot know it. Deny by default: a route
without a permission does not get past `guard`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiohttp import web

from gridctl.control.ports import Person
from gridctl.web.problem import problem
from gridctl.web.roles import PERMISSIONS, Permission, Role, may

COOKIE_TLS = "__Host-gridctl"
COOKIE_PLAIN = "gridctl_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

IDLE_MAY = frozenset({Permission.VIEW, Permission.STOP})
"""What an idle session keeps: the picture and STOP (SG-32)."""

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class UserLike(Protocol):
    """What auth needs to know of a user."""

    @property
    def name(self) -> str: ...
    @property
    def full_name(self) -> str: ...
    @property
    def role(self) -> str: ...


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


class Accounts(Protocol):
    """The store's users and sessions; real seconds for their life."""

    async def verify_password(self, name: str, password: str) -> UserLike | None: ...

    async def open_session(self, user: str, source: str) -> str: ...

    async def session(self, token: str, *, active: bool = True) -> SessionLike | None: ...

    async def close_session(self, token: str) -> None: ...


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
        user=session.user, session=session.id, source=source_of(request), role=session.role
    )


class Gate:
    """Lets requests through to handlers: session, CSRF, origin, permission."""

    def __init__(self, accounts: Accounts, *, secure: bool) -> None:
        self._accounts = accounts
        self._secure = secure
        self.cookie = COOKIE_TLS if secure else COOKIE_PLAIN

    async def signed(self, request: web.Request, *, active: bool = True) -> Signed | None:
        """The session of the request's cookie, or None. `active`: counts as use by a person."""
        token = request.cookies.get(self.cookie)
        if not token:
            return None
        session = await self._accounts.session(token, active=active)
        return None if session is None else Signed(token=token, session=session)

    async def log_in(self, request: web.Request, user: str, password: str) -> Signed | None:
        """A new session for a right password; an old one of the same browser ends."""
        found = await self._accounts.verify_password(user, password)
        if found is None:
            return None
        old = request.cookies.get(self.cookie)
        if old:
            await self._accounts.close_session(old)
        token = await self._accounts.open_session(found.name, source_of(request))
        session = await self._accounts.session(token)
        return None if session is None else Signed(token=token, session=session)

    async def log_out(self, signed: Signed) -> None:
        """The token is worthless from now on."""
        await self._accounts.close_session(signed.token)

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

    def guard(self, handler: Handler, permission: Permission) -> Handler:
        """`handler` behind session, CSRF and permission."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            signed = await self.signed(request)
            if signed is None:
                return problem(401, "not_signed_in", "Sign in first")
            if request.method not in SAFE_METHODS:
                refusal = await self._cross_site(request, signed)
                if refusal is not None:
                    return refusal
            if signed.session.idle and permission not in IDLE_MAY:
                return problem(
                    401, "session_idle", "Your session is locked", detail="sign in again to act"
                )
            if not may(signed.session.role, permission):
                return problem(
                    403,
                    "forbidden",
                    "Not allowed",
                    detail=f"role {signed.session.role} has no permission {permission.value}",
                )
            request[SIGNED] = signed
            return await handler(request)

        return guarded

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
        "csrf": signed.csrf,
        "may": sorted(p.value for p in PERMISSIONS[Role(session.role)]),
    }
