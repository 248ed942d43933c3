"""Codes of a code generator: TOTP (RFC 6238) with SHA-1, 30 s and six digits, as every app has it.

Times are *real* UTC seconds, never a pilot's grid time: the generator in a person's pocket knows
nothing of that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
WINDOW_STEPS = 1
"""How many steps a generator's clock may be off, either way."""


def step_at(now_s: float) -> int:
    """The time step of a moment."""
    return int(now_s // STEP_S)


def code_of(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of one time step (RFC 4226 §5.3)."""
    mac = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: bytes, code: str, *, now_s: float, last_step: int | None) -> int | None:
    """The time step that `code` is of, or None. Steps up to `last_step` are used up: a code that
    somebody has read over a shoulder is worth nothing (RFC 6238 §5.2)."""
    typed = code.replace(" ", "")
    now, found = step_at(now_s), None
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 1):
        same = hmac.compare_digest(code_of(secret, step).encode(), typed.encode())
        if same and (last_step is None or step > last_step):
            found = step
    return found


def shown(secret: bytes) -> str:
    """The secret as a person types it into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri_of(secret: bytes, *, user: str, issuer: str) -> str:
    """The `otpauth` address that apps take."""
    label = quote(f"{issuer}:{user}")
    query = urlencode({"secret": shown(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"
