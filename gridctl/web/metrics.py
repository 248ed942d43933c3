"""`/metrics`: links, points and alarms as Prometheus reads them.

One frozen picture becomes one text; nothing is counted here, so a scrape can be missed or repeated.
With a token file it answers to that bearer only; without one to this machine only. What grows with
the number of links is bounded by it: no series per point.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from gridctl.control.forecastbook import HOUR_S, ForecastBook
from gridctl.control.ports import Desk, Picture
from gridctl.model.alarm import AlarmState
from gridctl.model.forecasting import ForecastReview, HorizonSkill
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Validity

STATES = ("up", "connecting", "down")

Read: TypeAlias = Callable[[LinkHealth], float | None]
"""The value of a link's metric; None leaves the sample out: unknown is not zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMetric:
    """One metric with one sample a link."""

    name: str
    kind: str
    help: str
    read: Read


LINK_METRICS = (
    LinkMetric(
        name="gridctl_link_up",
        kind="gauge",
        help="1 while the link has a session that answers.",
        read=lambda h: float(h.state == "up"),
    ),
    LinkMetric(
        name="gridctl_link_state_since_timestamp_seconds",
        kind="gauge",
        help="Grid time at which the link entered its state.",
        read=lambda h: h.since_s,
    ),
    LinkMetric(
        name="gridctl_link_points",
        kind="gauge",
        help="Points of the points file on this link.",
        read=lambda h: h.points,
    ),
    LinkMetric(
        name="gridctl_link_reads",
        kind="counter",
        help="Values taken from the device.",
        read=lambda h: h.reads,
    ),
    LinkMetric(
        name="gridctl_link_events",
        kind="counter",
        help="Reports by event or notification.",
        read=lambda h: h.events,
    ),
    LinkMetric(
        name="gridctl_link_late_scans",
        kind="counter",
        help="Points or scans that did not come in their period.",
        read=lambda h: h.late_scans,
    ),
    LinkMetric(
        name="gridctl_link_commands",
        kind="counter",
        help="Commands that went to the device.",
        read=lambda h: h.commands,
    ),
    LinkMetric(
        name="gridctl_link_commands_in_flight",
        kind="gauge",
        help="Commands that wait for the device or are on the wire.",
        read=lambda h: h.commands_in_flight,
    ),
    LinkMetric(
        name="gridctl_link_reconnects",
        kind="counter",
        help="Sessions after the first.",
        read=lambda h: h.reconnects,
    ),
    LinkMetric(
        name="gridctl_link_retries",
        kind="counter",
        help="Requests asked again; never commands.",
        read=lambda h: h.retries,
    ),
    LinkMetric(
        name="gridctl_link_timeouts",
        kind="counter",
        help="Requests that were not answered in time.",
        read=lambda h: h.timeouts,
    ),
    LinkMetric(
        name="gridctl_link_frame_errors",
        kind="counter",
        help="Frames thrown away by the link layer: checksum, length.",
        read=lambda h: h.frame_errors,
    ),
    LinkMetric(
        name="gridctl_link_protocol_errors",
        kind="counter",
        help="Messages that were whole and made no sense.",
        read=lambda h: h.protocol_errors,
    ),
    LinkMetric(
        name="gridctl_link_received_bytes",
        kind="counter",
        help="Bytes from the device.",
        read=lambda h: h.bytes_in,
    ),
    LinkMetric(
        name="gridctl_link_sent_bytes",
        kind="counter",
        help="Bytes to the device.",
        read=lambda h: h.bytes_out,
    ),
    LinkMetric(
        name="gridctl_link_received_frames",
        kind="counter",
        help="Frames from the device.",
        read=lambda h: h.frames_in,
    ),
    LinkMetric(
        name="gridctl_link_sent_frames",
        kind="counter",
        help="Frames to the device.",
        read=lambda h: h.frames_out,
    ),
    LinkMetric(
        name="gridctl_link_round_trip_last_seconds",
        kind="gauge",
        help="Round trip of the last request.",
        read=lambda h: h.round_trip_s,
    ),
    LinkMetric(
        name="gridctl_link_round_trip_p50_seconds",
        kind="gauge",
        help="Median round trip of the last requests.",
        read=lambda h: h.round_trip_p50_s,
    ),
    LinkMetric(
        name="gridctl_link_round_trip_p99_seconds",
        kind="gauge",
        help="99th percentile of the round trips of the last requests.",
        read=lambda h: h.round_trip_p99_s,
    ),
    LinkMetric(
        name="gridctl_link_certificate_expiry_timestamp_seconds",
        kind="gauge",
        help="Real UTC at which the first certificate of the link ends.",
        read=lambda h: h.certificate_expires_s,
    ),
)
"""Everything with one sample a link; docs/reference/link-health.md is held to it by a test."""

SITE_METRICS = {
    "gridctl_link_info": ("info", "Protocol and endpoints of each link, as labels."),
    "gridctl_points": ("gauge", "Points by link and validity of their last value."),
    "gridctl_field_connected": ("gauge", "1 while the field agent is on the line."),
    "gridctl_stopped": ("gauge", "1 while STOP holds."),
    "gridctl_alarms": ("gauge", "Alarms whose condition lasts, by priority."),
    "gridctl_forecast_error_ratio": ("gauge", "Mean error of the median / mean load, by lead."),
    "gridctl_forecast_skill_ratio": ("gauge", "How much less that is than last week's, by lead."),
    "gridctl_forecast_coverage_ratio": ("gauge", "Share that the 80 % band held, by lead."),
    "gridctl_forecast_shift_kilowatts": ("gauge", "Shift of the load's level; 0: none found."),
}


class PictureCollector(Collector):
    """All metrics of one picture."""

    def __init__(self, picture: Picture, review: ForecastReview | None = None) -> None:
        self._picture = picture
        self._review = review

    def collect(self) -> Iterator[Metric]:
        picture = self._picture
        for metric in LINK_METRICS:
            yield _of_links(metric, picture.links)
        info = InfoMetricFamily("gridctl_link", SITE_METRICS["gridctl_link_info"][1])
        for link in picture.links:
            info.add_metric(
                [],
                {
                    "link": link.link,
                    "protocol": link.protocol,
                    "endpoint": link.endpoint,
                    "active_endpoint": link.active_endpoint or link.endpoint,
                },
            )
        yield info
        yield _points(picture)
        yield _gauge("gridctl_field_connected", picture.field_connected)
        yield _gauge("gridctl_stopped", picture.stopped)
        alarms = GaugeMetricFamily(
            "gridctl_alarms", SITE_METRICS["gridctl_alarms"][1], labels=["priority"]
        )
        lasting = (AlarmState.UNACKED, AlarmState.ACKED)
        count = Counter(a.priority for a in picture.alarms if a.state in lasting)
        for priority in sorted({1, 2, 3} | set(count)):
            alarms.add_metric([str(priority)], count[priority])
        yield alarms
        if self._review is not None:
            yield from _of_forecasts(self._review, picture.head_point)


def _of_forecasts(review: ForecastReview, feeder: str) -> Iterator[Metric]:
    reads: dict[str, Callable[[HorizonSkill], float | None]] = {
        "gridctl_forecast_error_ratio": lambda one: one.nmae_pct,
        "gridctl_forecast_skill_ratio": lambda one: one.skill_pct,
        "gridctl_forecast_coverage_ratio": lambda one: one.coverage_80_pct,
    }
    for name, read in reads.items():
        family = GaugeMetricFamily(name, SITE_METRICS[name][1], labels=["feeder", "lead_hours"])
        for one in review.horizons:
            percent = read(one)
            if percent is not None:
                family.add_metric([feeder, f"{one.lead_s / HOUR_S:g}"], percent / 100.0)
        yield family
    name = "gridctl_forecast_shift_kilowatts"
    shifted = GaugeMetricFamily(name, SITE_METRICS[name][1], labels=["feeder"])
    shifted.add_metric([feeder], 0.0 if review.shift is None else review.shift.shift_kw)
    yield shifted


def exposition(picture: Picture, review: ForecastReview | None = None) -> bytes:
    """The text of one scrape; about 10 µs a sample."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PictureCollector(picture, review))
    return generate_latest(registry)


class MetricsPage:
    """Answers a scrape. `token` None: this machine only."""

    def __init__(
        self, desk: Desk, *, token: str | None, forecasts: ForecastBook | None = None
    ) -> None:
        self._desk = desk
        self._forecasts = forecasts
        self._token = token

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """200 with the text, or 401 or 403 with one sentence."""
        if self._token is not None:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            known = hmac.compare_digest(given.strip().encode(), self._token.encode())
            if scheme.lower() != "bearer" or not known:
                return web.Response(
                    status=401,
                    text="metrics need the bearer token of web.metrics_token_file\n",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        elif not _is_loopback(request.remote):
            return web.Response(
                status=403,
                text="metrics answer to this machine only; set web.metrics_token_file\n",
            )
        # Rendering thousands of series takes a while: not on the loop that carries commands.
        review = None if self._forecasts is None else self._forecasts.review
        body = await asyncio.to_thread(exposition, self._desk.picture(), review)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _is_loopback(remote: str | None) -> bool:
    try:
        return remote is not None and ip_address(remote).is_loopback
    except ValueError:
        return False


def _of_links(metric: LinkMetric, links: tuple[LinkHealth, ...]) -> Metric:
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=["link"])
    for link in links:
        value = metric.read(link)
        if value is not None and math.isfinite(value):
            family.add_metric([link.link], value)
    return family


def _points(picture: Picture) -> Metric:
    family = GaugeMetricFamily(
        "gridctl_points", SITE_METRICS["gridctl_points"][1], labels=["link", "validity"]
    )
    count: Counter[tuple[str, str]] = Counter()
    for mrid, point in picture.points.items():
        measured = picture.snapshot.values.get(mrid)
        validity = "unknown" if measured is None else str(measured.quality.validity)
        count[point.link, validity] += 1
    words = [*(str(v) for v in Validity), "unknown"]
    for link in sorted({link for link, _ in count}):
        for validity in words:
            family.add_metric([link, validity], count[link, validity])
    return family


def _gauge(name: str, value: bool) -> Metric:
    return GaugeMetricFamily(name, SITE_METRICS[name][1], value=float(value))
