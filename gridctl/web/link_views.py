"""The field's links as the console's JSON. Pure; unknown is null, never zero."""

from __future__ import annotations

from collections import Counter

from gridctl.control.ports import Picture
from gridctl.model.link import LinkHealth, RejectedCertificate
from gridctl.web.json_values import Json, iso


def links_view(picture: Picture) -> list[Json]:
    """All links in short, as each frame carries them (api.ts LinkState)."""
    poor = poor_points(picture)
    return [link_view(link, poor=poor[link.link]) for link in picture.links]


def poor_points(picture: Picture) -> Counter[str]:
    """How many points of each link have no good value now."""
    return Counter(
        point.link
        for mrid, point in picture.points.items()
        if not point.kind.commandable
        and ((m := picture.snapshot.values.get(mrid)) is None or not m.quality.is_good)
    )


def link_view(health: LinkHealth, *, poor: int) -> Json:
    """api.ts LinkState."""
    return {
        "id": health.link,
        "protocol": health.protocol,
        "endpoint": health.active_endpoint or health.endpoint,
        "state": health.state,
        "points": health.points,
        "poor": poor,
        "reads": health.reads,
        "late_scans": health.late_scans,
        "commands": health.commands,
        "reconnects": health.reconnects,
        "round_trip_ms": _ms(health.round_trip_s),
        "detail": health.detail,
    }


def link_detail(health: LinkHealth, *, poor: int) -> Json:
    """api.ts LinkDetail."""
    return link_view(health, poor=poor) | {
        "configured_endpoint": health.endpoint,
        "since": iso(health.since_s),
        "events": health.events,
        "in_flight": health.commands_in_flight,
        "lock_owner": health.lock_owner,
        "retries": health.retries,
        "timeouts": health.timeouts,
        "bytes_in": health.bytes_in,
        "bytes_out": health.bytes_out,
        "frames_in": health.frames_in,
        "frames_out": health.frames_out,
        "frame_errors": health.frame_errors,
        "protocol_errors": health.protocol_errors,
        "round_trip_p50_ms": _ms(health.round_trip_p50_s),
        "round_trip_p99_ms": _ms(health.round_trip_p99_s),
        "last_error": health.last_error,
        "last_error_at": None if health.last_error_s is None else iso(health.last_error_s),
        "certificate_expires": None
        if health.certificate_expires_s is None
        else iso(health.certificate_expires_s),
        "diagnostics": dict(health.diagnostics),
        "rejected_certificate": _certificate(health.rejected_certificate),
    }


def _certificate(shown: RejectedCertificate | None) -> Json | None:
    """api.ts RejectedCertificate."""
    if shown is None:
        return None
    return {
        "thumbprint": shown.thumbprint,
        "sha256": shown.sha256,
        "subject": shown.subject,
        "application_uri": shown.application_uri,
        "valid_from": iso(shown.valid_from_s),
        "valid_until": iso(shown.valid_until_s),
        "why": shown.why,
        "remedy": shown.remedy,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
