"""A certificate that will end: told while there is time to renew it."""

from __future__ import annotations

from typing import Final

from gridctl.model.link import LinkHealth

NOTICE_S: Final = 30 * 86_400.0
_DAY_S: Final = 86_400.0


def expiry_text(health: LinkHealth, utc_s: float) -> str | None:
    """Why a person should look after the link's certificates, None while there is no reason.
    `utc_s`: real UTC seconds, for certificates know no other time."""
    ends_s = health.certificate_expires_s
    if ends_s is None or ends_s - utc_s > NOTICE_S:
        return None
    left_s = ends_s - utc_s
    if left_s <= 0:
        return "a certificate of the link has ended: it will not connect again"
    return f"a certificate of the link ends in {left_s / _DAY_S:.0f} days: renew it"
