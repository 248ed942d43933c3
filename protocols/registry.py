"""Which driver speaks which protocol: one explicit match, libraries imported only when asked for.

A host that speaks one protocol needs only that protocol's library.
"""

from __future__ import annotations

from collections.abc import Sequence

from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from protocols.driver import Driver, LinkSettings, PointAddress
from protocols.inbox import Inbox

PROTOCOLS = ("dnp3", "opcua")


def open_driver(
    settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
) -> Driver:
    """The driver for `settings.protocol`, not started yet, with those of `points` that belong to
    this link. Raises ConfigError for an unknown protocol, a link without points, a missing
    library, and for any option or address that the driver cannot use."""
    mine = tuple(address for address in points if address.link == settings.id)
    if not mine:
        raise ConfigError(
            f"link {settings.id} has no points",
            file=settings.file,
            key="field.links.id",
            line=settings.lines.get("id", settings.lines.get("", 0)),
            hint=f"give the points file rows whose link is {settings.id}, or remove the link",
        )
    try:
        return _driver(settings, mine, inbox, clock)
    except ImportError as missing:
        raise ConfigError(
            f"link {settings.id} speaks {settings.protocol}, whose library cannot be imported: "
            f"{missing}",
            file=settings.file,
            key="field.links.protocol",
            line=settings.lines.get("protocol", 0),
            hint="install gridctl with the extra 'field'",
        ) from missing
    except ConfigError as error:
        raise _with_line(error, settings) from error


def _with_line(error: ConfigError, settings: LinkSettings) -> ConfigError:
    """A driver knows its options by name; where they stand in the file is known here."""
    if error.file != settings.file or error.line:
        return error
    option = error.key.rpartition(".")[2]
    line = settings.lines.get(option, settings.lines.get("", 0))
    return ConfigError(
        f"link {settings.id}: {error.message}",
        file=error.file,
        key=error.key,
        hint=error.hint,
        line=line,
    )


def _driver(
    settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
) -> Driver:
    match settings.protocol:
        case "dnp3":
            from protocols.dnp3.driver import Dnp3Driver  # noqa: PLC0415 - native library

            return Dnp3Driver(settings, points, inbox, clock)
        case "opcua":
            from protocols.opcua.driver import OpcUaDriver  # noqa: PLC0415 - only when needed

            return OpcUaDriver(settings, points, inbox, clock)
        case unknown:
            raise ConfigError(
                f"link {settings.id} names protocol {unknown!r}",
                file=settings.file,
                key="field.links.protocol",
                hint=f"one of {', '.join(PROTOCOLS)}",
            )
