"""The composition root: the only file that knows everyone; builds, starts and stops the house."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.assembly_apis import LOOPBACK, mqtt_policy, platform
from gridctl.assembly_people import people_of, provider_of
from gridctl.config import Settings, load_settings
from gridctl.config_assets import load_feeder, load_resources
from gridctl.control.agenda import Job
from gridctl.control.checkpoints import CheckpointFile, Checkpoints, syslog_at
from gridctl.control.office import Office
from gridctl.control.ports import Desk
from gridctl.control.settings import (
    DriftBounds,
    ModePolicy,
    OfficeSettings,
    PlanningSettings,
    WeatherSettings,
)
from gridctl.firststart import Secret, first_people, make_keys
from gridctl.interpreter import collect_seldom, hand_over_often
from gridctl.limitsfile import load_limits
from gridctl.link import OfficeLink, UnixEndpoint
from gridctl.model.assets import ThermalAsset
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from gridctl.model.mode import Mode
from gridctl.model.network import Feeder
from gridctl.model.plan import OnFailure
from gridctl.observe import set_up_logging
from gridctl.openadr.routes import LINE_BYTES_MAX, openadr_routes
from gridctl.pki import load_private_ed25519
from gridctl.provenance import check_provenance
from gridctl.store.engine import SqlStore, open_store
from gridctl.supervise import hangup_on_signal, keep_alive, stop_on_signals
from gridctl.wallclock import check_machine_clock, system_clock
from gridctl.web.app import build_app
from gridctl.web.idle import serving
from gridctl.web.routes import WebParts
from optimizer.client import COMMAND as WORKER
from optimizer.client import WorkerClient

log = logging.getLogger(__name__)

OPENADR_PREFIX = "/openadr3/3.1.0"
PLATFORM_PREFIX = "/api/v1"
"""Behind the console's own routes under the same prefix."""
BLOCKED_RETRY_S = 2.0
"""Real seconds after which a blocked planning cycle is tried again."""
SET_UP_WORDS = """\
These links are good for 72 hours and once, and are shown nowhere else: each opens a page on which
its person chooses the password. Give them to two persons: one makes accounts, the other gives
roles and areas (SG-31)."""
FOLD_EVERY_S = 30.0
SHUTDOWN_DEADLINE_S = 5.0
METRICS_TOKEN_MIN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The office answers: where, and the secrets of a first start (else empty)."""

    url: str
    users: tuple[Secret, ...]
    clients: tuple[Secret, ...]
    desk: Desk


def office_settings(settings: Settings) -> OfficeSettings:
    """The will's part of the file, with what it names already read. Raises ConfigError."""
    site, planning, dispatch = settings.site, settings.planning, settings.dispatch
    feeder = load_feeder(site.feeder)
    return OfficeSettings(
        feeder=feeder,
        resources=load_resources(site.resources, feeder),
        limits=load_limits(settings.field.limits, signed_by=settings.field.limits_public_key),
        head_point=site.head_point,
        head_limit_kw=site.head_limit_kw,
        temperature_point=site.temperature_point,
        utc_offset_s=site.utc_offset_h * 3600,
        voltage_min_pu=site.voltage_min_pu,
        voltage_max_pu=site.voltage_max_pu,
        loading_max_pct=site.loading_max_pct,
        planning=PlanningSettings(
            step_s=planning.step_s,
            count=planning.count,
            quantile=planning.quantile,
            deadline_s=planning.deadline_s,
            cycle_s=planning.cycle_s,
            retry_s=min(planning.cycle_s, BLOCKED_RETRY_S),
            path_count=planning.path_count,
            cvar_weight=planning.cvar_weight,
        ),
        approval=replace(
            settings.approval.policy(head_limit_kw=site.head_limit_kw),
            second_needs_factor=settings.users.second_approver_factor,
            may_worsen=settings.policy.may_worsen,
        ),
        on_failure=OnFailure(dispatch.on_failure),
        modes=ModePolicy(
            first=Mode(settings.modes.first),
            shadow_plans_min=settings.modes.shadow_plans_min,
            forecast_error_max_pct=settings.modes.forecast_error_max_pct,
            evidence_days=settings.modes.evidence_days,
            advisory_plans_min=settings.modes.advisory_plans_min,
            plan_error_max_pct=settings.modes.plan_error_max_pct,
            presence_s=settings.modes.presence_s,
        ),
        drift=DriftBounds(
            head_pct=dispatch.drift_head_pct,
            head_kw=dispatch.drift_head_kw,
            voltage_pu=dispatch.drift_voltage_pu,
        ),
        batch_settle_s=dispatch.batch_settle_s,
        effect_settle_s=dispatch.effect_settle_s,
        effect_watch_s=dispatch.effect_watch_s,
        sample_interval_s=dispatch.sample_interval_s,
        clock_offset_max_s=dispatch.clock_offset_max_s,
        confirm_timeout_s=dispatch.confirm_timeout_s,
        history_days=planning.history_days,
        stop_file=settings.field.stop_file,
        plausibility=settings.validation.bounds(),
        cross_rules=settings.validation.cross_rules(),
        policy=settings.policy.policy(),
        price_by_hour=settings.policy.price_by_hour,
        weather=WeatherSettings(**settings.weather.model_dump()),
        transformers=_watched(settings, feeder),
    )


def _watched(settings: Settings, feeder: Feeder) -> tuple[ThermalAsset, ...]:
    """Transformers whose temperatures are watched. Raises ConfigError for one that is not there."""
    found = tuple(ThermalAsset(**one.model_dump()) for one in settings.transformers)
    branches = [t.mrid for t in feeder.transformers]
    for k, one in enumerate(found):
        if one.branch is not None and one.branch not in branches:
            raise ConfigError(
                f"{one.branch!r} is no transformer of the feeder",
                file=str(settings.file),
                key=f"transformers.{k}.branch",
                hint=f"one of {', '.join(branches[:5]) or 'none: leave it out'}",
            )
    return found


async def run_office(
    file: Path,
    *,
    with_field: bool,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[Ready], None] | None = None,
    prepare: Callable[[SqlStore], object] | None = None,
) -> None:
    """Run until `stop` (or a signal). Raises ConfigError before anything has started to move."""
    set_up_logging(level="info", as_json=on_ready is None)
    check_provenance()
    check_machine_clock()
    settings = load_settings(file)
    office_part = office_settings(settings)
    make_keys(settings)
    key = load_private_ed25519(settings.link.office_key)
    _refuse_plain_http_off_loopback(settings)
    hangup = asyncio.Event()
    if stop is None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        hangup_on_signal(hangup)
    async with AsyncExitStack() as stack:
        clock = settings.grid_clock()
        store = await open_store(settings.database.url, clock=clock)
        stack.push_async_callback(store.close)
        if prepare is not None:
            result = prepare(store)
            if asyncio.iscoroutine(result):
                await result
        users, clients = await first_people(store, settings, real=system_clock())
        learned = settings.file.parent / "forecasters"
        planner = WorkerClient(command=(*WORKER, str(learned)), spare=True)
        stack.push_async_callback(planner.close)
        settings.link.socket.parent.mkdir(parents=True, exist_ok=True)
        link = OfficeLink(endpoint=UnixEndpoint(path=settings.link.socket), key=key)
        await link.start()
        stack.push_async_callback(link.close)
        office = Office(
            settings=office_part,
            store=store,
            planner=planner,
            link=link,
            clock=clock,
            jobs=[
                _checkpointing(settings, store, clock, key),
                Job(name="write-ahead log", every_s=FOLD_EVERY_S, run=store.fold_log),
            ],
        )
        url = await stack.enter_async_context(
            _listening(settings, office_part, office, store, clock)
        )
        collect_seldom()
        hand_over_often()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(office.run(stop), name="office")
            if with_field:
                arguments = ["field", "--child", "--instance", str(settings.file.parent)]
                group.create_task(
                    keep_alive("field agent", arguments, stop=stop, hangup=hangup), name="field"
                )
            (on_ready or _announce)(Ready(url=url, users=users, clients=clients, desk=office.desk))
            await stop.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(running), SHUTDOWN_DEADLINE_S)
            running.cancel()


def _checkpointing(
    settings: Settings, store: SqlStore, clock: Clock, key: Ed25519PrivateKey
) -> Job:
    """The job that writes signed checkpoints of the audit record into their second place."""
    table = settings.audit
    syslog = (
        []
        if table.syslog is None
        else [syslog_at(table.syslog, file=str(settings.file), clock=system_clock())]
    )
    checkpoints = Checkpoints(
        store=store,
        clock=clock,
        key=key,
        file=CheckpointFile(settings.checkpoints),
        others=syslog,
    )
    return Job(name="audit checkpoint", every_s=table.checkpoint_s, run=checkpoints.step)


def _announce(ready: Ready) -> None:
    log.info("console at %s", ready.url)
    for made in (*ready.users, *ready.clients):
        # stdout, not the log: a secret does not belong into a file that is kept.
        print(f"{made.name} ({made.role}): {made.secret}", flush=True)  # noqa: T201
    if any(made.is_link for made in ready.users):
        print(SET_UP_WORDS, flush=True)  # noqa: T201


def _refuse_plain_http_off_loopback(settings: Settings) -> None:
    if settings.web.certificate is None and settings.web.host not in LOOPBACK:
        raise ConfigError(
            f"the console would speak plain http on {settings.web.host}",
            file=str(settings.file),
            key="web.certificate",
            hint="name a certificate and key, or listen on 127.0.0.1 behind a proxy",
        )


@asynccontextmanager
async def _listening(
    settings: Settings, part: OfficeSettings, office: Office, store: SqlStore, clock: Clock
) -> AsyncIterator[str]:
    """The console and OpenADR on their port; the URL."""
    table = settings.web
    secure = table.certificate is not None
    areas = frozenset(resource.area for resource in part.resources)
    people = people_of(settings, store, areas)
    app = build_app(
        WebParts(
            desk=office.desk,
            duty=office.duty,
            store=store,
            people=people,
            provider=provider_of(settings, clock, areas),
            clock=clock,
            time_rate=1.0 if settings.clock is None else settings.clock.rate,
            feeder=part.feeder,
            resources=part.resources,
            voltage_min_pu=part.voltage_min_pu,
            voltage_max_pu=part.voltage_max_pu,
            utc_offset_s=part.utc_offset_s,
            secure=secure,
            metrics_token=metrics_token(settings),
            office_key=load_private_ed25519(settings.link.office_key),
            forecasts=office.reviews.forecasts,
            assets=office.reviews.assets,
            vee=office.reviews.vee,
        ),
        mounted=[
            (
                OPENADR_PREFIX,
                openadr_routes(
                    store=store, desk=office.desk, clock=clock, mqtt=mqtt_policy(settings)
                ),
            ),
            (PLATFORM_PREFIX, platform(part, office.desk, store, clock, people, secure=secure)),
        ],
    )
    async with serving(app, max_line_size=LINE_BYTES_MAX) as runner:
        site = web.TCPSite(
            runner, table.host, table.port, ssl_context=_tls(settings) if secure else None
        )
        try:
            await site.start()
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                raise
            raise ConfigError(
                f"port {table.port} on {table.host}: {error.strerror}",
                file=str(settings.file),
                key="web.port",
                hint="another program has it; choose another one: make demo PORT=…",
            ) from None
        yield f"{'https' if secure else 'http'}://{table.host}:{table.port}"


def metrics_token(settings: Settings) -> str | None:
    """The bearer of `/metrics`, or None where only this machine may ask. Raises ConfigError."""
    path = settings.web.metrics_token_file
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read: {error}", file=str(path), hint="one line of text, mode 0600"
        ) from None
    if len(token) < METRICS_TOKEN_MIN:
        raise ConfigError(
            f"is shorter than {METRICS_TOKEN_MIN} characters",
            file=str(path),
            hint="a long random line, for instance from: openssl rand -hex 24",
        )
    return token


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = settings.web.certificate, settings.web.key
    try:
        context.load_cert_chain(str(certificate), None if key is None else str(key))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"certificate or key cannot be used: {error}",
            file=str(settings.file),
            key="web.certificate",
            hint="PEM files; the key must belong to the certificate",
        ) from None
    return context
