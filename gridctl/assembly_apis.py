"""Parts of the composition root: the platform API, and the broker that OpenADR's changes go to."""

from __future__ import annotations

import ssl

from aiohttp import web

from gridctl.config import Settings
from gridctl.control.ports import Desk
from gridctl.control.settings import OfficeSettings
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from gridctl.openadr.broker_notifier import MqttPolicy
from gridctl.openadr.mqtt import Broker
from gridctl.platform_api.routes import platform_routes
from gridctl.store.engine import SqlStore
from gridctl.web.auth import Gate
from gridctl.web.people import People

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def platform(
    part: OfficeSettings,
    desk: Desk,
    store: SqlStore,
    clock: Clock,
    people: People,
    *,
    secure: bool,
) -> web.Application:
    """The platform API: behind the tokens of OpenADR and the console's own gate."""
    gate = Gate(
        people.sessions,
        secure=secure,
        step_up_s=people.step_up_s,
        factor_roles=people.factor_roles,
    )
    devices = {resource.mrid: resource.area for resource in part.resources}
    return platform_routes(store=store, desk=desk, clock=clock, gate=gate, devices=devices)


def mqtt_policy(settings: Settings) -> MqttPolicy | None:
    """The broker of `[mqtt]`, or None without the table. Raises ConfigError."""
    table = settings.mqtt
    if table is None:
        return None
    password: str | None = None
    if table.password_file is not None:
        try:
            password = table.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot be read: {error}",
                file=str(table.password_file),
                hint="one line of text, mode 0600",
            ) from None
    tls: ssl.SSLContext | None = None
    if table.ca is not None or table.host not in LOOPBACK:
        try:
            tls = ssl.create_default_context(cafile=None if table.ca is None else str(table.ca))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the CA cannot be used: {error}", file=str(settings.file), key="mqtt.ca"
            ) from None
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
    broker = Broker(host=table.host, port=table.port, user=table.user, password=password, tls=tls)
    return MqttPolicy(
        broker=broker,
        uris=tuple(table.uris),
        authentication=table.authentication,
        prefix=table.prefix,
    )
