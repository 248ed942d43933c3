"""The options of a DNP3 link, checked before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gridctl.model.errors import ConfigError
from protocols.driver import LinkSettings, OptionValue

ADDRESS_MAX = 65_519
"""IEEE 1815-2012 §9.2.3.4: 0xFFF0 and above are broadcast, self address and reserved."""

TIME_SYNC_MODES = ("lan", "non_lan", "none")

_NEEDED: Mapping[str, type] = {
    "host": str,
    "port": int,
    "master_address": int,
    "outstation_address": int,
    "response_timeout_s": float,
    "select_timeout_s": float,
}
_OPTIONAL: Mapping[str, type] = {
    "heartbeat": str,
    "time_sync": str,
    "disable_unsolicited_at_start": bool,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Settings:
    """One association: endpoint, link addresses, and how long the device may take.

    `response_timeout_s`: real seconds for one answer. `select_timeout_s`: how long the device
    holds a SELECT, as set in the device; the answer to a SELECT must come in half of it, so that
    OPERATE, which leaves at once, is never near the device's limit (SG-01).
    `time_sync`: how the device's clock is set when it asks: "lan", "non_lan" or "none".
    `disable_unsolicited_at_start`: false only for a device that ignores function code 21, which
    would otherwise block the start for ever (dnp3.md G10).
    """

    host: str
    port: int
    master_address: int
    outstation_address: int
    response_timeout_s: float
    select_timeout_s: float
    time_sync: str
    disable_unsolicited_at_start: bool

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"


class _Options:
    """Reads options of one link; every refusal names file and key."""

    def __init__(self, settings: LinkSettings) -> None:
        self._settings = settings

    def refuse(self, key: str, message: str, hint: str) -> ConfigError:
        return ConfigError(
            f"link {self._settings.id}: {message}",
            file=self._settings.file,
            key=f"field.links.{key}",
            hint=hint,
        )

    def check_keys(self) -> None:
        known = {**_NEEDED, **_OPTIONAL}
        for key, value in self._settings.options.items():
            if key not in known:
                raise self.refuse(
                    key, f"unknown option {key!r}", f"options of dnp3: {', '.join(known)}"
                )
            self._check_type(key, value, known[key])
        for key in _NEEDED:
            if key not in self._settings.options:
                raise self.refuse(key, f"{key} is missing", f"write {key} = …")

    def _check_type(self, key: str, value: OptionValue, kind: type) -> None:
        fits = (
            isinstance(value, (int, float)) and not isinstance(value, bool)
            if kind is float
            else type(value) is kind
        )
        if not fits:
            raise self.refuse(key, f"{key} is {value!r}", f"must be of type {kind.__name__}")

    def text(self, key: str) -> str:
        return str(self._settings.options[key])

    def whole(self, key: str, low: int, high: int) -> int:
        value = int(self._settings.options[key])
        if not low <= value <= high:
            raise self.refuse(key, f"{key} is {value}", f"must be {low} to {high}")
        return value

    def seconds(self, key: str, low: float, high: float) -> float:
        value = float(self._settings.options[key])
        if not low <= value <= high:
            raise self.refuse(key, f"{key} is {value:g}", f"must be {low:g} to {high:g} s")
        return value


def read_settings(settings: LinkSettings) -> Dnp3Settings:
    """The options of `settings`. Raises ConfigError for unknown, missing or unusable ones."""
    options = _Options(settings)
    options.check_keys()
    given = settings.options
    response_timeout_s = options.seconds("response_timeout_s", 0.05, 60.0)
    select_timeout_s = options.seconds("select_timeout_s", 0.1, 120.0)
    if response_timeout_s > select_timeout_s / 2:
        raise options.refuse(
            "response_timeout_s",
            f"response_timeout_s {response_timeout_s:g} is more than half of select_timeout_s "
            f"{select_timeout_s:g}",
            "OPERATE must reach the device in the first half of its select window",
        )
    time_sync = str(given.get("time_sync", "lan"))
    if time_sync not in TIME_SYNC_MODES:
        raise options.refuse(
            "time_sync", f"time_sync is {time_sync!r}", f"one of {', '.join(TIME_SYNC_MODES)}"
        )
    read = Dnp3Settings(
        host=options.text("host"),
        port=options.whole("port", 1, 65_535),
        master_address=options.whole("master_address", 0, ADDRESS_MAX),
        outstation_address=options.whole("outstation_address", 0, ADDRESS_MAX),
        response_timeout_s=response_timeout_s,
        select_timeout_s=select_timeout_s,
        time_sync=time_sync,
        disable_unsolicited_at_start=bool(given.get("disable_unsolicited_at_start", True)),
    )
    if read.master_address == read.outstation_address:
        raise options.refuse(
            "outstation_address",
            f"master and outstation both have address {read.master_address}",
            "the two ends of an association have different link addresses",
        )
    return read
