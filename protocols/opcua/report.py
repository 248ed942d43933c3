"""What a link tells people about itself: details in sentences, diagnostics by key, expiry."""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.model.link import RejectedCertificate
from protocols.opcua.image import PointImage
from protocols.opcua.session import HEALTHY, Session
from protocols.opcua.settings import OpcUaSettings


@dataclass(slots=True)
class Counts:
    """What the driver counts beside its traffic, since its start. `rejected`: the certificate for
    which the last attempt was given up, None when it was not for that."""

    switches: int = 0
    gaps: int = 0
    backfilled: int = 0
    rejected: RejectedCertificate | None = None


def up_detail(session: Session, image: PointImage) -> str:
    """What a person should know of a link that is up; "" when there is nothing."""
    found = [image.heartbeat_text()]
    if session.service_level < HEALTHY:
        found.append(f"the server feels unwell (service level {session.service_level})")
    faults = image.fault_text()
    if faults:
        found.append(f"check the points file: {faults}")
    return "; ".join(text for text in found if text)


def diagnostics(settings: OpcUaSettings, counts: Counts, session: Session | None) -> dict[str, str]:
    """The protocol's own words, for the communications screen."""
    shown = {"security policy": settings.security_policy}
    if counts.rejected is not None:
        shown["rejected certificate"] = counts.rejected.thumbprint
    if len(settings.urls) > 1:
        shown["servers"] = " ".join(settings.urls)
        shown["switches"] = str(counts.switches)
    if settings.backfill:
        shown["values read from history"] = str(counts.backfilled)
    if session is not None:
        shown["service level"] = str(session.service_level)
        shown["gaps in the subscription"] = str(counts.gaps + session.gaps)
        shown["keep-alive"] = f"{session.keepalive_s:g} s"
        shown["items refused"] = str(len(session.unmonitored))
    if settings.trust_list is not None and settings.trust_list.unreadable:
        shown["unreadable in the trust list"] = ", ".join(settings.trust_list.unreadable)
    return shown


def first_expiry_s(settings: OpcUaSettings, session: Session | None) -> float | None:
    """When the first of the certificates ends, the server's or our own; UTC seconds."""
    own = settings.credentials
    known = [pair.certificate for pair in (own.application, own.user_pair) if pair is not None]
    known += [own.pinned] if own.pinned is not None else []
    ends = [one.not_valid_after_utc.timestamp() for one in known]
    if session is not None and session.connection.certificate_expires_s is not None:
        ends.append(session.connection.certificate_expires_s)
    return min(ends, default=None)
