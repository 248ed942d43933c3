"""application/problem+json (RFC 9457): one way to say no over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from gridctl.model.errors import Refusal


def problem(
    status: int,
    code: str,
    title: str,
    *,
    detail: str = "",
    reasons: Sequence[str] = (),
    extra: Mapping[str, object] | None = None,
) -> web.Response:
    """A problem answer; `code` is stable, `reasons` are for people, `extra` for programs."""
    return web.json_response(
        {
            "type": f"urn:gridctl:problem:{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": detail or "; ".join(reasons),
            "reasons": list(reasons),
            **(extra or {}),
        },
        status=status,
        content_type="application/problem+json",
    )


def refused(refusal: Refusal, status: int = 409) -> web.Response:
    """A `Refusal` of the desk as an answer."""
    return problem(status, refusal.code, refusal.code.replace("_", " "), reasons=refusal.reasons)
