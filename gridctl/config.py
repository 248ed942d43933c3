"""gridctl.toml → frozen settings. Unknown key, wrong type, missing file: a refusal with a hint.

Paths in the file are relative to the file's folder and come out absolute. Every error of a file
is reported at once, each with its key. Nothing that moves power has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gridctl.config_field import FieldLinkTable as FieldLinkTable  # noqa: PLC0414 - theirs too
from gridctl.config_field import FieldTable
from gridctl.config_people import OidcTable, UsersTable
from gridctl.config_policy import PolicyTable
from gridctl.configfile import joined, read_toml, refused
from gridctl.model.approval import ApprovalPolicy
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from gridctl.model.plausibility import PlausibilityBounds
from gridctl.model.validation import BalanceRule, CrossRules, PowersRule, RegisterRule
from gridctl.tomlplaces import line_of, places
from gridctl.wallclock import grid_clock, system_clock

Positive = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(_Table):
    """`[site]`: the feeder, its resources and the limits that plans must keep."""

    name: str
    feeder: Path
    resources: Path
    head_point: str
    head_limit_kw: Positive
    temperature_point: str | None = None
    utc_offset_h: Annotated[float, Field(ge=-14, le=14)]
    voltage_min_pu: Annotated[float, Field(gt=0.5, lt=1)]
    voltage_max_pu: Annotated[float, Field(gt=1, lt=1.5)]
    loading_max_pct: Positive


class WeatherTable(_Table):
    """`[weather]`: what drives the load beside its own history. `forecast_file`: CSV that the
    weather service writes anew with each of its runs."""

    sun_point: str | None = None
    wind_point: str | None = None
    forecast_file: Path | None = None
    holidays: tuple[date, ...] = ()


class TransformerTable(_Table):
    """`[[transformers]]`: one whose temperatures are watched (IEC 60076-7)."""

    name: str
    kind: Literal["distribution-onan", "onan", "onaf"]
    rating_kva: Positive
    load_point: str
    power_factor: Annotated[float, Field(gt=0.3, le=1)] = 0.95
    upgraded: bool = False
    branch: str | None = None
    life_price_per_h: Positive | None = None
    hot_spot_max_c: Annotated[float, Field(ge=60, le=180)] | None = None
    top_oil_max_c: Annotated[float, Field(ge=40, le=140)] | None = None
    load_max: Annotated[float, Field(ge=1, le=2)] | None = None

    @model_validator(mode="after")
    def _all_of_heat(self) -> Self:
        given = [
            value is not None for value in (self.hot_spot_max_c, self.top_oil_max_c, self.load_max)
        ]
        if any(given) and not (all(given) and self.branch is not None):
            raise ValueError(
                "hot_spot_max_c, top_oil_max_c and load_max go together, with a branch"
            )
        return self


class ClockTable(_Table):
    """`[clock]`: grid time of a pilot; absent in production."""

    anchor_real_s: float
    anchor_grid_s: float
    rate: Annotated[float, Field(ge=1, le=600)]


class DatabaseTable(_Table):
    """`[database]`: `sqlite:///file` (relative to this folder) or `postgresql://…`."""

    url: str


class LinkTable(_Table):
    """`[link]`: the line between office and field, and the office's signing key."""

    socket: Path
    office_key: Path
    office_public_key: Path


class PlanningTable(_Table):
    """`[planning]`: time grid, chance level and deadline of the mind."""

    step_s: Positive
    count: Annotated[int, Field(ge=1, le=288)]
    quantile: Annotated[float, Field(ge=0.5, lt=1)]
    deadline_s: Annotated[float, Field(gt=0, le=600)]
    cycle_s: Annotated[float, Field(ge=1)]
    history_days: Annotated[float, Field(ge=1, le=800)] = 35.0
    path_count: Annotated[int, Field(ge=0, le=500)] = 0
    cvar_weight: Annotated[float, Field(ge=0, le=1)] = 0.0


class ApprovalTable(_Table):
    """`[approval]`: SG-06 and SG-08, inside hard ranges."""

    two_person_kw: Annotated[float, Field(gt=0, le=5000)]
    two_person_customers: Annotated[int, Field(ge=1, le=10000)]
    plan_life_s: Annotated[float, Field(ge=1, le=3600)]
    approval_life_s: Annotated[float, Field(ge=1, le=3600)]

    two_person_head_pct: Annotated[float, Field(gt=0, le=100)] | None = None

    def policy(self, *, head_limit_kw: float) -> ApprovalPolicy:
        """As the model's word."""
        share = self.two_person_head_pct
        return ApprovalPolicy(
            **self.model_dump(exclude={"two_person_head_pct"}),
            two_person_head_kw=None if share is None else share / 100 * head_limit_kw,
        )


class BalanceTable(_Table):
    """`[[validation.balances]]`: a head and what must add up to it (rule 15)."""

    head: str
    parts: Annotated[tuple[str, ...], Field(min_length=1)]
    rating_kw: Positive
    sigma_kw: Annotated[float, Field(ge=0)] = 0.0
    loss_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class RegisterTable(_Table):
    """`[[validation.registers]]`: a power and the register that counts it (rule 14)."""

    kw: str
    kwh: str
    multiplier_kwh: Positive = 1.0


class PowersTable(_Table):
    """`[[validation.powers]]`: kW, kvar, volt and ampere of one place (rule 16)."""

    kw: str
    kvar: str
    volt_pu: str
    ampere: str
    nominal_kv: Positive
    rating_kva: Positive


class ValidationTable(_Table):
    """`[validation]`: what a value may be at most, and when it is not believed any more (SG-12).

    Times in grid seconds. None of these moves power.
    """

    power_share: Annotated[float, Field(ge=1, le=10)] = 1.3
    group_share: Annotated[float, Field(ge=1, le=1000)] = 10.0
    head_share: Annotated[float, Field(ge=1, le=100)] = 3.0
    voltage_min_pu: Annotated[float, Field(gt=0, lt=1)] = 0.5
    voltage_max_pu: Annotated[float, Field(gt=1, le=3)] = 1.5
    dead_below_pu: Annotated[float, Field(ge=0, le=0.2)] = 0.05
    future_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    frozen_s: Annotated[float, Field(gt=0, le=86400)] = 300.0
    moved_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    jump_share: Annotated[float, Field(gt=0, le=100)] = 0.5

    balances: tuple[BalanceTable, ...] = ()
    registers: tuple[RegisterTable, ...] = ()
    powers: tuple[PowersTable, ...] = ()
    state: bool = True
    forecast_widths: Annotated[float, Field(ge=1, le=100)] = 3.0
    sum_share: Annotated[float, Field(gt=0, le=1)] = 0.002
    balance_sigmas: Annotated[float, Field(ge=1, le=100)] = 3.0
    balance_share: Annotated[float, Field(gt=0, le=1)] = 0.02
    consistency_share: Annotated[float, Field(gt=0, le=1)] = 0.03

    def bounds(self) -> PlausibilityBounds:
        """As the office's word."""
        names = {f.name for f in fields(PlausibilityBounds)}
        return PlausibilityBounds(**self.model_dump(include=names))

    def cross_rules(self) -> CrossRules:
        """What is held against each other."""
        names = {f.name for f in fields(CrossRules)} - {"balances", "registers", "powers"}
        return CrossRules(
            balances=tuple(BalanceRule(**one.model_dump()) for one in self.balances),
            registers=tuple(RegisterRule(**one.model_dump()) for one in self.registers),
            powers=tuple(PowersRule(**one.model_dump()) for one in self.powers),
            **self.model_dump(include=names),
        )


class DispatchTable(_Table):
    """`[dispatch]`: waits, and how far the feeder may drift before a plan is void (SG-14, SG-17).

    Settle and watch times and the sample interval in grid seconds. None of these moves power by
    itself.
    """

    batch_settle_s: Annotated[float, Field(ge=0, le=600)] = 30.0
    effect_settle_s: Annotated[float, Field(ge=0, le=600)] = 120.0
    effect_watch_s: Annotated[float, Field(ge=1, le=600)] = 120.0
    drift_head_pct: Annotated[float, Field(ge=0, le=20)] = 5.0
    drift_head_kw: Annotated[float, Field(ge=0, le=1000)] = 100.0
    drift_voltage_pu: Annotated[float, Field(ge=0, le=0.05)] = 0.01
    sample_interval_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    clock_offset_max_s: Annotated[float, Field(gt=0, le=10)] = 1.0
    confirm_timeout_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    on_failure: Literal["hold", "continue", "roll back"] = "hold"


class ModesTable(_Table):
    """`[modes]`: the mode of an area that nobody has set yet; what an area must have shown in
    shadow before it may be commanded, and over how long before closed loop; within how many real
    seconds somebody of the desk must have done something for closed loop to last (SG-37)."""

    first: Literal["off", "shadow", "advisory"] = "advisory"
    shadow_plans_min: Annotated[int, Field(ge=1, le=1000)] = 20
    forecast_error_max_pct: Annotated[float, Field(gt=0, le=50)] = 10.0
    evidence_days: Annotated[float, Field(ge=1, le=90)] = 14.0
    advisory_plans_min: Annotated[int, Field(ge=1, le=1000)] = 5
    plan_error_max_pct: Annotated[float, Field(gt=0, le=50)] = 10.0
    presence_s: Annotated[float, Field(ge=60, le=3600)] = 900.0


class AuditTable(_Table):
    """`[audit]`: the second place of the audit record (SG-34): a signed checkpoint each
    `checkpoint_s` real seconds into `checkpoints` (default: a file beside gridctl.toml; better on a
    disk of another host) and to `syslog`, where one is named."""

    checkpoints: Path | None = None
    syslog: str | None = None
    checkpoint_s: Annotated[float, Field(ge=10, le=3600)] = 60.0


class WebTable(_Table):
    """`[web]`: where the console listens. TLS when a certificate is named; plain http is for
    loopback only. `/metrics` asks for the bearer token in `metrics_token_file`; without one it
    answers to this machine only."""

    host: str
    port: Port
    certificate: Path | None = None
    key: Path | None = None
    metrics_token_file: Path | None = None


class MqttTable(_Table):
    """`[mqtt]`: a broker that OpenADR's changes are told by, beside webhooks. TLS unless the broker
    is on this machine and no `ca` is named."""

    host: str
    port: Port
    uris: list[str] = Field(min_length=1)
    user: str = "gridctl"
    password_file: Path | None = None
    ca: Path | None = None
    authentication: Literal["ANONYMOUS", "OAUTH2_BEARER_TOKEN"] = "OAUTH2_BEARER_TOKEN"
    prefix: str = Field(default="openadr", pattern=r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64})*$")


class Settings(_Table):
    """The whole file. `file` is where it came from."""

    site: SiteTable
    clock: ClockTable | None = None
    database: DatabaseTable
    link: LinkTable
    field: FieldTable
    planning: PlanningTable
    approval: ApprovalTable
    dispatch: DispatchTable = DispatchTable()
    validation: ValidationTable = ValidationTable()
    policy: PolicyTable = PolicyTable()
    modes: ModesTable = ModesTable()
    weather: WeatherTable = WeatherTable()
    transformers: tuple[TransformerTable, ...] = ()
    audit: AuditTable = AuditTable()
    web: WebTable
    users: UsersTable = UsersTable()
    oidc: OidcTable | None = None
    mqtt: MqttTable | None = None
    sim: dict[str, Any] | None = None
    file: Path

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints of the audit record are kept."""
        return self.audit.checkpoints or self.file.parent / "audit-checkpoints.jsonl"

    @property
    def users_key(self) -> Path:
        """The key that seals the secrets of code generators."""
        return self.users.key_file or self.file.parent / "users.key"

    @property
    def origin(self) -> str:
        """The console's address as browsers see it. Loopback goes by its name: browsers bind a
        security key to a name only."""
        if self.users.origin is not None:
            return self.users.origin.rstrip("/")
        scheme = "https" if self.web.certificate else "http"
        host = "localhost" if self.web.host in ("127.0.0.1", "::1") else self.web.host
        return f"{scheme}://{host}:{self.web.port}"

    def lines(self) -> Mapping[str, int]:
        """On which line of the file each key stands, by its dotted name."""
        return places(self.file.read_text(encoding="utf-8"))

    def grid_clock(self) -> Clock:
        """The clock that every process of this instance shares."""
        if self.clock is None:
            return system_clock()
        return grid_clock(
            anchor_real_s=self.clock.anchor_real_s,
            anchor_grid_s=self.clock.anchor_grid_s,
            rate=self.clock.rate,
        )


_PATHS = {
    ("site", "feeder"),
    ("site", "resources"),
    ("link", "socket"),
    ("link", "office_key"),
    ("link", "office_public_key"),
    ("field", "points"),
    ("field", "limits"),
    ("field", "limits_public_key"),
    ("field", "stop_file"),
    ("field", "spool"),
    ("audit", "checkpoints"),
    ("weather", "forecast_file"),
    ("users", "key_file"),
    ("users", "breached_file"),
    ("oidc", "client_secret_file"),
    ("mqtt", "password_file"),
    ("mqtt", "ca"),
    ("web", "certificate"),
    ("web", "metrics_token_file"),
    ("web", "key"),
}
_LINK_PATHS = (
    "certificate",
    "key",
    "server_certificate",
    "trust_list",
    "password_file",
    "user_certificate",
    "user_key",
    "ca",
    "serial",
)
_MUST_EXIST = {("site", "feeder"), ("site", "resources")}


def load_settings(file: Path) -> Settings:
    """Read `file`. Raises ConfigError that names file, key and hint; all errors at once."""
    raw = read_toml(file, missing=_elsewhere(file))
    found = places(file.read_text(encoding="utf-8"))
    folder = file.resolve().parent
    _make_paths_absolute(raw, folder)
    try:
        settings = Settings.model_validate({**raw, "file": file.resolve()})
    except ValidationError as error:
        raise refused(file, error, Settings, found) from None
    if mistakes := list(settings.field.mistakes()):
        raise joined(file, mistakes, hint="", lines=found)
    for table, key in sorted(_MUST_EXIST):
        path = getattr(getattr(settings, table), key)
        if not path.is_file():
            raise ConfigError(
                f"file {path} does not exist",
                file=str(file),
                key=f"{table}.{key}",
                line=line_of(found, f"{table}.{key}"),
                hint="paths are relative to the folder of this file",
            )
    return settings


def _elsewhere(file: Path) -> str:
    """Where the pilot may be that somebody means who named none."""
    beside = sorted(found.parent for found in file.parent.parent.glob(f"*/{file.name}"))[:3]
    if not beside:
        return "gridctl demo makes a whole example"
    return " or ".join(f"--instance {folder}" for folder in beside)


def _make_paths_absolute(raw: dict[str, Any], folder: Path) -> None:
    for table, key in _PATHS:
        value = raw.get(table)
        if isinstance(value, dict) and isinstance(value.get(key), str):
            value[key] = str(folder / value[key])
    database = raw.get("database")
    if isinstance(database, dict) and isinstance(database.get("url"), str):
        scheme, separator, rest = database["url"].partition(":///")
        if separator and scheme.startswith("sqlite"):
            database["url"] = f"{scheme}:///{folder / rest}"
    field = raw.get("field")
    links = field.get("links") if isinstance(field, dict) else None
    for link in links if isinstance(links, list) else ():
        for key in _LINK_PATHS:
            if isinstance(link, dict) and isinstance(link.get(key), str):
                link[key] = str(folder / link[key])
