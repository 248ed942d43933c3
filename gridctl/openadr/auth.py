"""Who is calling: client credentials for an opaque token, a bearer token for everything else.

Only hashes are stored. The client's record says its role (business logic or VEN); the text of a
scope never does.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from gridctl.control.ports import Person
from gridctl.model.clock import Clock
from gridctl.model.record import AuditEntry
from gridctl.openadr.body import read_bytes
from gridctl.openadr.problem import ProblemError
from gridctl.store.engine import SqlStore
from gridctl.store.openadr import ClientRow

TOKEN_LIFE_S = 3_600
FORM_BYTES_MAX = 16_384
FAILURE_ROW_EVERY_S = 10.0
SCOPES = {
    "business-logic": ("read_all", "read_bl", "read_targets", "write_programs", "write_events"),
    "ven": ("read_targets", "read_ven_objects"),
}
"""What a role can do here; a token is granted what was asked of it, or all of it."""


class OAuthError(Exception):
    """An error answer of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, status: HTTPStatus) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client with a live token."""

    client: ClientRow
    source: str

    @property
    def is_business_logic(self) -> bool:
        return self.client.role == "business-logic"

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
        self._failures = 0
        self._quiet_until_mono_s = 0.0

    async def server(self, request: web.Request) -> web.Response:
        """GET /auth/server: where tokens are. Behind a proxy, configure the URL."""
        own = str(request.url.with_path(request.path.removesuffix("/server") + "/token"))
        return web.json_response({"tokenURL": self._token_url or own.partition("?")[0]})

    async def token(self, request: web.Request) -> web.Response:
        """POST /auth/token: RFC 6749 §4.4; errors in that RFC's own shape."""
        try:
            answer = await self._granted(request)
            status = HTTPStatus.OK
        except OAuthError as refused:
            status = refused.status
            answer = {"error": refused.error, "error_description": refused.description}
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="gridctl"'
        return web.json_response(answer, status=status.value, headers=headers)

    async def _granted(self, request: web.Request) -> dict[str, Any]:
        form = await _form(request)
        client_id, secret = _credentials(request, form)
        client = await self._store.openadr.verify_client(client_id, secret)
        if client is None:
            await self._note_failure(client_id, request)
            raise OAuthError(
                "invalid_client", "client id or secret is wrong", HTTPStatus.UNAUTHORIZED
            )
        if form.get("grant_type") != "client_credentials":
            raise OAuthError(
                "unsupported_grant_type",
                "only client_credentials is served",
                HTTPStatus.BAD_REQUEST,
            )
        allowed = SCOPES[client.role]
        wanted = form.get("scope", "").split()
        # VENs in the field ask for read_all: they get what they may have, not an error
        scope = " ".join([word for word in allowed if word in wanted] or allowed)
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
        return Caller(client=found[0], source=request.remote or "")

    async def business_logic(self, request: web.Request) -> Caller:
        """The caller when it may write programs and events, else 403."""
        caller = await self.caller(request)
        if not caller.is_business_logic:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "only a business-logic client writes programs and events"
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
