"""Who is calling: client credentials for an opaque token, a bearer token for everything else.

Only hashes are stored. The client's record says its role (business logic or VEN); the text of a
scope never does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from gridctl.control.ports import Person
from gridctl.model.clock import Clock
from gridctl.model.record import AuditEntry
from gridctl.openadr.body import read_bytes
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.ratelimit import RateLimit
from gridctl.openadr.scopes import BUSINESS_LOGIC, granted
from gridctl.store.engine import SqlStore
from gridctl.store.openadr import ClientRow
from gridctl.store.openadr_kinds import Reader

TOKEN_LIFE_S = 3_600
FORM_BYTES_MAX = 16_384
FAILURE_ROW_EVERY_S = 10.0
TOKENS_PER_S = 5.0
TOKENS_BURST = 60
LIMITED_KEYS_MAX = 10_000


class OAuthError(Exception):
    """An error answer of RFC 6749 §5.2."""

    def __init__(
        self, error: str, description: str, status: HTTPStatus, *, retry_s: float | None = None
    ) -> None:
        super().__init__(description)
        self.retry_s = retry_s
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client with a live token."""

    client: ClientRow
    source: str
    scopes: frozenset[str] = frozenset()

    @property
    def is_business_logic(self) -> bool:
        return self.client.role == BUSINESS_LOGIC

    def reader(self) -> Reader:
        """The caller as the store's privacy knows it."""
        return Reader(client_id=self.client.client_id, sees_all=self.is_business_logic)

    def person(self) -> Person:
        """The caller as the desk's audit knows it."""
        return Person(
            user=self.client.client_id,
            session="openadr",
            source=self.source,
            role=self.client.role,
        )

    def entry(self, action: str, object_: str, *, at_s: float, result: str) -> AuditEntry:
        """An audit entry of something that the caller did."""
        return AuditEntry(
            at_s=at_s,
            who=self.client.client_id,
            session="openadr",
            source=self.source,
            role=self.client.role,
            action=action,
            object=object_,
            before="",
            after="",
            reason="",
            plan_digest="",
            result=result,
        )


class Auth:
    """The token endpoint, and the check in front of every other one."""

    def __init__(self, *, store: SqlStore, clock: Clock, token_url: str | None) -> None:
        self._store = store
        self._clock = clock
        self._token_url = token_url
        self._limit = RateLimit(per_s=TOKENS_PER_S, burst=TOKENS_BURST, keys_max=LIMITED_KEYS_MAX)
        self._failures = 0
        self._quiet_until_mono_s = 0.0

    async def server(self, request: web.Request) -> web.Response:
        """GET /auth/server: where tokens are. Behind a proxy, configure the URL."""
        own = str(request.url.with_path(request.path.removesuffix("/server") + "/token"))
        return web.json_response({"tokenURL": self._token_url or own.partition("?")[0]})

    async def token(self, request: web.Request) -> web.Response:
        """POST /auth/token: RFC 6749 §4.4; errors in that RFC's own shape."""
        retry_s: float | None = None
        try:
            answer = await self._granted(request)
            status = HTTPStatus.OK
        except OAuthError as refused:
            status = refused.status
            answer = {"error": refused.error, "error_description": refused.description}
            retry_s = refused.retry_s
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        if retry_s is not None:
            headers["Retry-After"] = str(ceil(retry_s))
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="gridctl"'
        return web.json_response(answer, status=status.value, headers=headers)

    async def _granted(self, request: web.Request) -> dict[str, Any]:
        form = await _form(request)
        client_id, secret = _credentials(request, form)
        wait_s = self._limit.take(client_id, self._clock.monotonic_s())
        if wait_s > 0:
            raise OAuthError(
                "invalid_request",
                f"too many tokens were asked for: again in {wait_s:.0f} s",
                HTTPStatus.TOO_MANY_REQUESTS,
                retry_s=wait_s,
            )
        client = await self._store.openadr.verify_client(client_id, secret)
        if client is None:
            await self._note_failure(client_id, request)
            raise OAuthError(
                "invalid_client", "client id or secret is wrong", HTTPStatus.UNAUTHORIZED
            )
        if "grant_type" not in form:
            raise OAuthError("invalid_request", "grant_type is missing", HTTPStatus.BAD_REQUEST)
        if form["grant_type"] != "client_credentials":
            raise OAuthError(
                "unsupported_grant_type",
                "only client_credentials is served",
                HTTPStatus.BAD_REQUEST,
            )
        scope = " ".join(granted(client.role, form.get("scope", "").split()))
        token = await self._store.openadr.open_token(client_id, scope, life_s=TOKEN_LIFE_S)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE_S,
            "scope": scope,
        }

    async def _note_failure(self, client_id: str, request: web.Request) -> None:
        """An audit row, but not one for every try: nobody may fill the record from outside."""
        now = self._clock.monotonic_s()
        self._failures += 1
        if now < self._quiet_until_mono_s:
            return
        self._quiet_until_mono_s = now + FAILURE_ROW_EVERY_S
        told, self._failures = self._failures, 0
        caller = Caller(
            client=ClientRow(client_id=client_id[:128], role="unknown"),
            source=request.remote or "",
        )
        async with self._store.transaction() as unit:
            await unit.audit(
                caller.entry(
                    "openadr.token",
                    "",
                    at_s=self._clock.now_s(),
                    result=f"refused: wrong secret ({told} since the last row)",
                )
            )

    async def caller(self, request: web.Request) -> Caller:
        """The client behind the bearer token, else 401 (RFC 6750)."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "a bearer token is needed: POST /auth/token",
                headers={"WWW-Authenticate": 'Bearer realm="gridctl"'},
            )
        found = await self._store.openadr.token(token.strip(), life_s=TOKEN_LIFE_S)
        if found is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "the bearer token is unknown or has run out",
                headers={"WWW-Authenticate": 'Bearer realm="gridctl", error="invalid_token"'},
            )
        client, scope = found
        return Caller(client=client, source=request.remote or "", scopes=frozenset(scope.split()))

    async def need(self, request: web.Request, scopes: Sequence[str]) -> Caller:
        """The caller when its token has one of `scopes`, else 403 with their names (RFC 6750)."""
        caller = await self.caller(request)
        if caller.scopes.isdisjoint(scopes):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"the token has none of the scopes {', '.join(scopes)}",
                headers={
                    "WWW-Authenticate": 'Bearer realm="gridctl", error="insufficient_scope", '
                    f'scope="{" ".join(scopes)}"'
                },
            )
        return caller


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthError(
            "invalid_request",
            "the body has to be application/x-www-form-urlencoded",
            HTTPStatus.BAD_REQUEST,
        )
    try:
        text = (await read_bytes(request, bytes_max=FORM_BYTES_MAX)).decode()
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=20, errors="strict", separator="&"
        )
    except (ProblemError, ValueError) as error:
        raise OAuthError("invalid_request", str(error), HTTPStatus.BAD_REQUEST) from error
    form = dict(pairs)
    if len(form) != len(pairs) or "\x00" in "".join(form.values()):
        raise OAuthError(
            "invalid_request", "a parameter stands twice or has NUL", HTTPStatus.BAD_REQUEST
        )
    return form


def _credentials(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    kind, _, coded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        if "client_secret" in form:
            raise OAuthError("invalid_request", "credentials in two places", HTTPStatus.BAD_REQUEST)
        try:
            text = base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise OAuthError(
                "invalid_client", "Basic credentials are not readable", HTTPStatus.UNAUTHORIZED
            ) from error
        client_id, _, secret = text.replace("\x00", "").partition(":")
        return unquote_plus(client_id), unquote_plus(secret)
    try:
        return form["client_id"], form["client_secret"]
    except KeyError as missing:
        raise OAuthError(
            "invalid_request", f"{missing.args[0]} is missing", HTTPStatus.BAD_REQUEST
        ) from None
