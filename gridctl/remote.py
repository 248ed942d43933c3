"""The console's API as a program sees it: what the CLI and the scripted operators use.

Standard library only, so that the CLI stays light. One `Remote` is one person's session.
"""

from __future__ import annotations

import http.client
import json
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from gridctl.model.errors import Refusal, RefusedError, UnavailableError

DEADLINE_S = 30.0


class Remote:
    """One signed-in person at `base` (http://host:port). Not safe for several threads."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"not a console address: {base}")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 80)
        self._cookie = ""
        self._csrf = ""

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._csrf:
            self.call("DELETE", "/api/v1/session")

    def sign_in(self, user: str, password: str) -> dict[str, Any]:
        """Open the session. Raises RefusedError when user or password is wrong."""
        answer = self.call("POST", "/api/v1/session", {"user": user, "password": password})
        self._csrf = str(answer["csrf"])
        return answer

    def get(self, path: str) -> dict[str, Any]:
        """GET of /api/v1."""
        return self.call("GET", f"/api/v1{path}")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST of /api/v1."""
        return self.call("POST", f"/api/v1{path}", body)

    def form(self, path: str, fields: dict[str, str]) -> dict[str, Any]:
        """POST of a form, for the token endpoint of OpenADR."""
        return self._exchange(
            "POST", path, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, bearer: str = ""
    ) -> dict[str, Any]:
        """One exchange. Raises RefusedError for a 4xx with its problem, UnavailableError else."""
        headers = {"Content-Type": "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        text = None if body is None else json.dumps(body)
        return self._exchange(method, path, text, headers)

    def _exchange(
        self, method: str, path: str, text: str | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        if self._cookie:
            headers["Cookie"] = self._cookie
        if self._csrf:
            headers["X-CSRF-Token"] = self._csrf
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body=text, headers=headers)
            answer = connection.getresponse()
            raw = answer.read()
        except OSError as error:
            raise UnavailableError(
                f"gridctl does not answer at {self._host}:{self._port} ({error}); is it running?"
            ) from None
        finally:
            connection.close()
        for cookie in answer.msg.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(cookie).items():
                self._cookie = f"{name}={morsel.value}"
        return _judged(answer.status, raw)


def _judged(status: int, raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = {"detail": raw[:200].decode(errors="replace")}
    if status < 400:  # noqa: PLR2004 - HTTP
        return dict(body)
    reasons = tuple(body.get("reasons") or (body.get("detail") or body.get("title") or "",))
    if status >= 500:  # noqa: PLR2004 - HTTP
        raise UnavailableError(f"HTTP {status}: {'; '.join(reasons)}")
    raise RefusedError(Refusal(code=str(body.get("code", f"http_{status}")), reasons=reasons))
