"""What an OPC UA link is told: the options of its `[[field.links]]` table.

Everything that a human wrote is judged here and in `addresses.py`, before anything connects. Each
fault is a ConfigError with file, key and hint. An unencrypted link must be asked for in so many
words, carries no password and takes no command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gridctl.model.errors import ConfigError
from protocols.driver import LinkSettings, PointAddress
from protocols.opcua.addresses import Target, read_target
from protocols.opcua.credentials import (
    LINKS_KEY,
    Credentials,
    check_application_uri,
    load_pair,
    load_password,
    load_public,
    unusable,
)
from protocols.opcua.trust import TrustList

KEEPALIVE_COUNT: Final = 10
"""RequestedMaxKeepAliveCount; asyncua's default gives one keep-alive in 45 min (opcua.md §1)."""
POLICIES: Final = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
URLS_MAX: Final = 4

Text = Annotated[str, Field(min_length=1)]


class _Options(BaseModel):
    """The keys of an OPC UA link's table; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    backup_urls: str = ""
    security_policy: Literal[
        "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss", "None"
    ]
    unencrypted_read_only: bool = False
    application_uri: Text | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_certificate: Path | None = None
    trust_list: Path | None = None
    user: Text | None = None
    password_file: Path | None = None
    user_certificate: Path | None = None
    user_key: Path | None = None
    publishing_ms: Annotated[float, Field(ge=10, le=10_000)]
    heartbeat: str = ""
    timeout_s: Annotated[float, Field(ge=0.2, le=30.0)] = 2.0
    channel_lifetime_s: Annotated[float, Field(ge=2.0, le=86_400.0)] = 3_600.0
    backfill: bool = False
    conditions: bool = False

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        return _opc_tcp(url)

    @field_validator("backup_urls")
    @classmethod
    def _backup_urls(cls, urls: str) -> str:
        found = [_opc_tcp(url) for url in urls.split()]
        if len(found) >= URLS_MAX:
            raise ValueError(f"more than {URLS_MAX - 1} servers")
        return " ".join(found)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = _missing(self)
        if missing:
            raise ValueError(missing)
        return self


def _opc_tcp(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "opc.tcp" or not parts.hostname or parts.port is None:
        raise ValueError(f"{url!r} must look like opc.tcp://host:port/path")
    if parts.username is not None:
        raise ValueError("must not carry a user: use `user` and `password_file`")
    return url


def _missing(options: _Options) -> str:
    """What makes the options no whole, "" when they are."""
    given = {name for name in _SECRETS if getattr(options, name) is not None}
    if options.security_policy == "None":
        if not options.unencrypted_read_only:
            return "security_policy: None is refused unless unencrypted_read_only = true"
        if given:
            return f"{min(given)}: an unencrypted link has no use for it and would give it away"
        return ""
    if options.unencrypted_read_only:
        return "unencrypted_read_only: belongs to security_policy None only"
    by_certificate = bool(given & {"user_certificate", "user_key"})
    if by_certificate and given & {"user", "password_file"}:
        return "user: is known by a password or by a certificate, not by both"
    needed = ["application_uri", "certificate", "key"]
    needed += ["user_certificate", "user_key"] if by_certificate else ["user", "password_file"]
    lines = [f"{name}: is missing" for name in needed if name not in given]
    if not given & {"server_certificate", "trust_list"}:
        lines.append("server_certificate: is missing: pin it, or name a trust_list folder")
    return "; ".join(lines)


_SECRETS: Final = (
    "application_uri",
    "certificate",
    "key",
    "server_certificate",
    "trust_list",
    "user",
    "password_file",
    "user_certificate",
    "user_key",
)
_HINTS: Final = {
    "security_policy": f"one of {', '.join(POLICIES)}; unencrypted links are refused",
    "publishing_ms": "milliseconds between two publish responses, 10 … 10000",
    "timeout_s": "seconds that the server has to answer a request, 0.2 … 30",
    "url": 'for instance url = "opc.tcp://192.0.2.10:4840/server"',
    "backup_urls": "redundant servers with the same address space, separated by spaces",
    "unencrypted_read_only": "who asks for it accepts that anyone on the network can read along",
}


OPTION_MEANINGS: Final = {
    "url": "The server, `opc.tcp://host:port/path`.",
    "backup_urls": "Redundant servers with the same address space, separated by spaces; at most 3.",
    "security_policy": f"One of {', '.join(POLICIES)}; always SignAndEncrypt.",
    "unencrypted_read_only": "With security_policy None: accepts that anyone reads along.",
    "application_uri": "Ours; must stand in our certificate.",
    "certificate": "Ours, DER or PEM.",
    "key": "Its private key, PEM PKCS #8, mode 0600.",
    "server_certificate": "The server's, pinned. It or `trust_list` is needed.",
    "trust_list": "Folder with `trusted`, `issuers`, `revocations` and `rejected`.",
    "user": "Who we are to the server, with `password_file`.",
    "password_file": "One line, mode 0600.",
    "user_certificate": "In place of user and password: an X.509 certificate, with `user_key`.",
    "user_key": "Its private key, PEM PKCS #8, mode 0600.",
    "publishing_ms": "Milliseconds between two publish responses, 10 to 10000; ten of them make a "
    "keep-alive.",
    "heartbeat": "mRID of a point that moves all the time.",
    "timeout_s": "Seconds that the server has to answer a request, 0.2 to 30.",
    "channel_lifetime_s": "Seconds after which the channel's keys are renewed, 2 to 86400.",
    "backfill": "Read the history of a gap, for sequence-of-events points.",
    "conditions": "Follow the server's alarms and conditions.",
}


def option_default(name: str) -> str:
    """The default of an option in words."""
    field = _Options.model_fields[name]
    if field.is_required():
        return "none: must be written"
    return "none" if field.default in (None, "") else f"`{str(field.default).lower()}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaSettings:
    """A link's options, judged. `urls`: the servers, the first one preferred. `keepalive_s` is the
    longest silence of a healthy server: KEEPALIVE_COUNT publishing intervals; the link counts as
    lost after three of them. `backfill`: read the history of a gap where the server keeps one.
    `conditions`: subscribe to alarms and conditions."""

    link: str
    urls: tuple[str, ...]
    security_policy: str
    application_uri: str
    credentials: Credentials
    trust_list: TrustList | None
    publishing_ms: float
    heartbeat: str
    timeout_s: float
    channel_lifetime_s: float
    backfill: bool
    conditions: bool

    @property
    def keepalive_s(self) -> float:
        return KEEPALIVE_COUNT * self.publishing_ms / 1000.0

    @property
    def encrypted(self) -> bool:
        return self.security_policy != "None"


def read_settings(settings: LinkSettings) -> OpcUaSettings:
    """The link's options, files loaded. Raises ConfigError with file, key and hint."""
    try:
        options = _Options.model_validate(dict(settings.options))
    except ValidationError as error:
        raise _invalid(settings, error) from error
    return OpcUaSettings(
        link=settings.id,
        urls=(options.url, *options.backup_urls.split()),
        security_policy=options.security_policy,
        application_uri=options.application_uri or "",
        credentials=_credentials(settings, options),
        trust_list=None if options.trust_list is None else TrustList(options.trust_list),
        publishing_ms=options.publishing_ms,
        heartbeat=options.heartbeat,
        timeout_s=options.timeout_s,
        channel_lifetime_s=options.channel_lifetime_s,
        backfill=options.backfill,
        conditions=options.conditions,
    )


def read_targets(
    settings: LinkSettings, points: Sequence[PointAddress], judged: OpcUaSettings
) -> tuple[Target, ...]:
    """The points in OPC UA's notation. Raises ConfigError that names the points file's line."""
    targets = tuple(read_target(row) for row in points)
    heartbeat = judged.heartbeat
    if heartbeat and heartbeat not in {target.row.point.mrid for target in targets}:
        raise unusable(
            settings,
            "heartbeat",
            None,
            f"heartbeat {heartbeat!r} is not one of its points",
            "name a counter of this link from the points file",
        )
    for target in targets:
        if target.commandable and not judged.encrypted:
            raise ConfigError(
                f"{target.row.point.mrid} takes commands and link {settings.id} is not encrypted",
                file=target.row.file,
                key=f"{target.row.line}:link",
                hint="an unencrypted link only reads: anyone on the network could command it",
            )
    return targets


def _credentials(settings: LinkSettings, options: _Options) -> Credentials:
    application = user_pair = pinned = None
    if options.certificate is not None and options.key is not None:
        application = load_pair(settings, "certificate", options.certificate, "key", options.key)
        check_application_uri(
            settings, application, options.certificate, options.application_uri or ""
        )
    if options.server_certificate is not None:
        pinned = load_public(settings, "server_certificate", options.server_certificate)
    if options.user_certificate is not None and options.user_key is not None:
        user_pair = load_pair(
            settings, "user_certificate", options.user_certificate, "user_key", options.user_key
        )
    return Credentials(
        application=application,
        pinned=pinned,
        user=options.user or "",
        password=""
        if options.password_file is None
        else load_password(settings, options.password_file),
        user_pair=user_pair,
    )


def _invalid(settings: LinkSettings, error: ValidationError) -> ConfigError:
    lines = [_line(one["loc"], one["msg"]) for one in error.errors()]
    key = lines[0].partition(":")[0]
    return ConfigError(
        f"link {settings.id}: {'; '.join(lines)}",
        file=settings.file,
        key=f"{LINKS_KEY}.{key}",
        hint=_HINTS.get(key, f"keys of an opcua link: {', '.join(_Options.model_fields)}"),
    )


def _line(location: tuple[int | str, ...], message: str) -> str:
    """`key: message`; the rules over several keys name theirs in the message."""
    text = message.removeprefix("Value error, ")
    return f"{'.'.join(str(part) for part in location)}: {text}" if location else text
