"""The route table of the console: every path, who answers it, and the permission that it asks for.

`None` is public on purpose. A test walks the table, so that a route without a decision cannot be
added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.control.assetbook import AssetBook
from gridctl.control.duty import Duty
from gridctl.control.forecastbook import ForecastBook
from gridctl.control.ports import Desk, Store
from gridctl.control.settlementdesk import SettlementDesk
from gridctl.control.veebook import VeeBook
from gridctl.model.clock import Clock
from gridctl.model.network import Feeder
from gridctl.model.resource import Resource
from gridctl.web import open_pages
from gridctl.web.alarm_pages import AlarmPages
from gridctl.web.api import Api
from gridctl.web.areas import AreaRules
from gridctl.web.asset_pages import AssetPages
from gridctl.web.auth import Gate, Rule
from gridctl.web.auth import Handler as Handle
from gridctl.web.command_pages import CommandPages
from gridctl.web.duty_pages import DutyPages
from gridctl.web.evidence_pages import EvidencePages
from gridctl.web.factor_pages import FactorPages
from gridctl.web.field_pages import FieldPages
from gridctl.web.forecast_pages import ForecastPages
from gridctl.web.metrics import MetricsPage
from gridctl.web.mode_pages import ModePages
from gridctl.web.pages import Pages
from gridctl.web.people import People
from gridctl.web.plain_factors import PlainFactors
from gridctl.web.provider import Provider
from gridctl.web.provider_pages import ProviderPages
from gridctl.web.proving import Proving
from gridctl.web.roles import Permission
from gridctl.web.settlement_pages import SettlementPages
from gridctl.web.signin_pages import SignInPages
from gridctl.web.stream import Stream
from gridctl.web.tag_pages import TagPages
from gridctl.web.user_pages import UserPages
from gridctl.web.views import FrameView


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What the console needs from the rest of the house."""

    desk: Desk
    duty: Duty
    store: Store
    people: People
    provider: Provider | None = None
    clock: Clock
    time_rate: float
    feeder: Feeder
    resources: tuple[Resource, ...]
    voltage_min_pu: float
    voltage_max_pu: float
    utc_offset_s: float
    secure: bool
    metrics_token: str | None = None
    office_key: Ed25519PrivateKey | None = None
    forecasts: ForecastBook
    assets: AssetBook
    vee: VeeBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the route table; `rule` None: open to everybody, on purpose."""

    method: str
    path: str
    handler: Handle
    rule: Rule | None

    @property
    def permission(self) -> Permission | None:
        """What the rule asks for first."""
        return None if self.rule is None else self.rule.permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Everything that answers, as the route table needs it."""

    api: Api
    stream: Stream
    pages: Pages
    sign_in: SignInPages
    factors: FactorPages
    users: UserPages
    provider: ProviderPages
    areas: AreaRules


def handlers_of(parts: WebParts, gate: Gate) -> Handlers:
    """What answers, made of the parts."""
    people = parts.people
    proving = Proving(
        passwords=people.users,
        factors=people.factors,
        clock=parts.clock,
        real=people.real,
        sealer=people.sealer,
        keys=people.keys,
    )
    sign_in = SignInPages(
        gate=gate,
        proving=proving,
        people=people,
        store=parts.store,
        desk=parts.desk,
        clock=parts.clock,
        has_provider=parts.provider is not None,
    )
    return Handlers(
        api=Api(
            desk=parts.desk,
            store=parts.store,
            clock=parts.clock,
            feeder=parts.feeder,
            resources=parts.resources,
            voltage_min_pu=parts.voltage_min_pu,
            voltage_max_pu=parts.voltage_max_pu,
            utc_offset_s=parts.utc_offset_s,
        ),
        stream=Stream(
            desk=parts.desk,
            store=parts.store,
            gate=gate,
            view=FrameView(parts.feeder, time_rate=parts.time_rate),
            clock=parts.clock,
        ),
        pages=Pages(desk=parts.desk, gate=gate, sign_in=sign_in, proving=proving),
        sign_in=sign_in,
        factors=FactorPages(people=people, gate=gate, clock=parts.clock),
        users=UserPages(people=people, clock=parts.clock),
        provider=ProviderPages(
            provider=parts.provider, people=people, sign_in=sign_in, secure=parts.secure
        ),
        areas=AreaRules(desk=parts.desk, resources=parts.resources),
    )


def routes(handlers: Handlers, parts: WebParts) -> Sequence[Route]:
    """The whole route table of the console."""
    api, stream, pages, sign_in = handlers.api, handlers.stream, handlers.pages, handlers.sign_in
    factors, users, provider, areas = (
        handlers.factors,
        handlers.users,
        handlers.provider,
        handlers.areas,
    )
    p = Permission
    v1 = "/api/v1"
    field = FieldPages(desk=parts.desk, store=parts.store)
    modes = ModePages(parts.duty.modes, utc_offset_s=parts.utc_offset_s)
    duty = DutyPages(shifts=parts.duty.shifts, store=parts.store, clock=parts.clock)
    tags = TagPages(tags=parts.duty.tags, clock=parts.clock)
    alarms = AlarmPages(desk=parts.desk, store=parts.store, clock=parts.clock)
    evidence = EvidencePages(
        desk=parts.desk, store=parts.store, clock=parts.clock, key=parts.office_key
    )
    commands = CommandPages(desk=parts.desk, store=parts.store)
    assets = AssetPages(parts.assets, parts.vee)
    settled = SettlementPages(SettlementDesk(store=parts.store, clock=parts.clock))
    plain = PlainFactors(factors=factors, people=parts.people)
    fresh = partial(Rule, step_up=True)
    table: list[tuple[str, str, Handle, Permission | Rule | None]] = [
        ("GET", "/", open_pages.index, None),
        ("GET", "/static/{name:[A-Za-z0-9_.-]+}", open_pages.static, None),
        ("GET", "/healthz", open_pages.health, None),
        ("GET", "/readyz", open_pages.Ready(parts.desk).answer, None),
        # Its own bearer or this machine only: a scraper has no session.
        (
            "GET",
            "/metrics",
            MetricsPage(parts.desk, token=parts.metrics_token, forecasts=parts.forecasts).answer,
            None,
        ),
        ("GET", "/plain", pages.plain, None),
        ("POST", "/plain/login", pages.log_in, None),
        ("POST", "/plain/stop", pages.stop, p.STOP),
        ("GET", "/plain/factors", plain.held, p.OWN),
        ("POST", "/plain/factors/code", plain.begin_code, fresh(permission=p.OWN)),
        ("POST", "/plain/factors/confirm", plain.confirm_code, fresh(permission=p.OWN)),
        ("POST", "/plain/factors/recovery", plain.recovery, fresh(permission=p.OWN)),
        ("GET", "/oidc/start", provider.start, None),
        ("GET", "/oidc/callback", provider.callback, None),
        # Proofs: a ticket stands for the person, where one is needed.
        ("GET", f"{v1}/sign-in", sign_in.ways, None),
        ("POST", f"{v1}/session", sign_in.log_in, None),
        ("POST", f"{v1}/session/password", sign_in.by_password, None),
        ("POST", f"{v1}/session/code", sign_in.by_code, None),
        ("POST", f"{v1}/session/recovery", sign_in.by_recovery, None),
        ("POST", f"{v1}/session/key-challenge", sign_in.key_challenge, None),
        ("POST", f"{v1}/session/key", sign_in.by_key, None),
        ("POST", f"{v1}/session/prove", sign_in.prove, p.OWN),
        ("GET", f"{v1}/session", sign_in.session, p.OWN),
        ("DELETE", f"{v1}/session", sign_in.log_out, p.OWN),
        ("POST", f"{v1}/set-up", users.set_up, None),
        ("GET", f"{v1}/factors", factors.held, p.OWN),
        ("POST", f"{v1}/factors/code", factors.begin_code, fresh(permission=p.OWN)),
        ("POST", f"{v1}/factors/code/confirm", factors.confirm_code, fresh(permission=p.OWN)),
        ("POST", f"{v1}/factors/recovery", factors.recovery, fresh(permission=p.OWN)),
        ("POST", f"{v1}/factors/key", factors.begin_key, fresh(permission=p.OWN)),
        ("POST", f"{v1}/factors/key/confirm", factors.confirm_key, fresh(permission=p.OWN)),
        ("GET", f"{v1}/users", users.users, p.LIST_USERS),
        ("POST", f"{v1}/users", users.add, fresh(permission=p.USERS)),
        ("POST", f"{v1}/users/{{user}}/reset", users.reset, fresh(permission=p.USERS)),
        ("POST", f"{v1}/users/{{user}}/remove", users.remove, fresh(permission=p.USERS)),
        ("POST", f"{v1}/users/{{user}}/role", users.assign, fresh(permission=p.ROLES)),
        ("GET", f"{v1}/stream", stream.serve, p.VIEW),
        ("GET", f"{v1}/overview", stream.overview, p.VIEW),
        ("GET", f"{v1}/feeder", api.feeder, p.VIEW),
        ("GET", f"{v1}/plans", api.plans, p.VIEW),
        ("POST", f"{v1}/plans", api.propose, p.PROPOSE),
        ("GET", f"{v1}/plans/{{plan}}", api.plan, p.VIEW),
        (
            "POST",
            f"{v1}/plans/{{plan}}/approve",
            api.approve,
            fresh(permission=p.APPROVE, areas=areas.of_plan),
        ),
        (
            "POST",
            f"{v1}/plans/{{plan}}/reject",
            api.reject,
            Rule(permission=p.APPROVE, areas=areas.of_plan),
        ),
        (
            "POST",
            f"{v1}/plans/{{plan}}/break-glass",
            api.break_glass,
            fresh(permission=p.APPROVE, areas=areas.of_plan),
        ),
        ("POST", f"{v1}/stop", api.stop, p.STOP),
        ("POST", f"{v1}/resume", api.resume, fresh(permission=p.APPROVE, areas=areas.all)),
        ("POST", f"{v1}/return-to-default", api.return_to_default, p.STOP),
        ("GET", f"{v1}/alarms", alarms.alarms, p.VIEW),
        ("GET", f"{v1}/alarms/history.csv", alarms.history, p.VIEW),
        ("POST", f"{v1}/alarms/shelve", alarms.shelve, p.ACK),
        ("POST", f"{v1}/alarms/unshelve", alarms.unshelve, p.ACK),
        ("POST", f"{v1}/alarms/ack", api.acknowledge, p.ACK),
        ("GET", f"{v1}/commands", api.commands, p.VIEW),
        ("GET", f"{v1}/commands/{{command}}", commands.command, p.VIEW),
        ("GET", f"{v1}/links", field.links, p.VIEW),
        ("GET", f"{v1}/events", field.events, p.VIEW),
        ("GET", f"{v1}/alarms/figures", duty.figures, p.VIEW),
        ("GET", f"{v1}/handovers", duty.handovers, p.VIEW),
        ("POST", f"{v1}/handovers", duty.prepare, p.DUTY),
        ("POST", f"{v1}/handovers/{{number}}/take", duty.take, p.DUTY),
        ("GET", f"{v1}/manual-steps", duty.steps, p.VIEW),
        ("POST", f"{v1}/manual-steps", duty.issue, p.DUTY),
        ("POST", f"{v1}/manual-steps/{{number}}/repeat", duty.repeated, p.DUTY),
        ("POST", f"{v1}/manual-steps/{{number}}/confirm", duty.confirmed, p.DUTY),
        ("POST", f"{v1}/manual-steps/{{number}}/give-up", duty.given_up, p.DUTY),
        ("GET", f"{v1}/tags", tags.tags, p.VIEW),
        ("POST", f"{v1}/tags", tags.place, Rule(permission=p.TAG, areas=areas.of_device)),
        (
            "POST",
            f"{v1}/tags/{{tag}}/remove",
            tags.remove,
            fresh(permission=p.TAG, areas=areas.of_tag),
        ),
        ("GET", f"{v1}/modes", modes.modes, p.VIEW),
        ("POST", f"{v1}/modes", modes.set, Rule(permission=p.MODE, areas=areas.of_body)),
        (
            "POST",
            f"{v1}/modes/closed-loop",
            modes.ask,
            fresh(permission=p.MODE, areas=areas.of_body),
        ),
        (
            "POST",
            f"{v1}/modes/approve",
            modes.approve,
            fresh(permission=p.APPROVE, areas=areas.of_body),
        ),
        ("GET", f"{v1}/audit", api.audit, p.AUDIT),
        ("GET", f"{v1}/evidence/{{about}}", evidence.pack, p.AUDIT),
        ("GET", f"{v1}/audit/verify", api.audit_verify, p.AUDIT),
        ("GET", f"{v1}/trend", api.trend, p.VIEW),
        (
            "GET",
            f"{v1}/forecasts",
            ForecastPages(desk=parts.desk, book=parts.forecasts).forecasts,
            p.VIEW,
        ),
        ("GET", f"{v1}/assets", assets.assets, p.VIEW),
        ("GET", f"{v1}/validation", assets.validation, p.VIEW),
        ("GET", f"{v1}/settlements", settled.runs, p.VIEW),
        ("POST", f"{v1}/settlements", settled.settle, p.PROPOSE),
        ("GET", f"{v1}/settlements/methods", settled.methods, p.VIEW),
        ("GET", f"{v1}/settlements/{{run}}", settled.run, p.VIEW),
        ("GET", f"{v1}/settlements/{{run}}/statement.{{form:html|pdf}}", settled.page, p.VIEW),
        ("GET", f"{v1}/settlements/{{run}}/intervals.{{form:csv}}", settled.page, p.VIEW),
    ]
    return [
        Route(
            method=method,
            path=path,
            handler=handler,
            rule=Rule(permission=rule) if isinstance(rule, Permission) else rule,
        )
        for method, path, handler, rule in table
    ]
