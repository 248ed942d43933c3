"""The options of a DNP3 link, checked before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from protocols.dnp3.options import Options
from protocols.driver import LinkSettings, OptionValue

INDEX_MAX = 65_535
ADDRESS_MAX = 65_519
"""IEEE 1815-2012 §9.2.3.4: 0xFFF0 and above are broadcast, self address and reserved."""

TIME_SYNC_MODES = ("lan", "non_lan", "write", "none")

BAUDS = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
PARITIES = ("none", "even", "odd")
_NETWORK_ONLY = (
    "host",
    "port",
    "backup_host",
    "backup_port",
    "ca",
    "certificate",
    "key",
    "tls_name",
)
_SERIAL_ONLY = ("parity", "stop_bits")
_TLS = ("ca", "certificate", "key", "tls_name")
_SCAN = re.compile(r"(\d{1,3}):(\d{1,5})(?:-(\d{1,5}))?@(\d+(?:\.\d+)?)")
_SCANNED = frozenset({1, 3, 10, 20, 21, 30, 31, 40, 110})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the device listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPort:
    """A serial line to one device: 8 data bits, as DNP3 needs them, no flow control."""

    device: Path
    baud: int
    parity: str
    stop_bits: int

    def __str__(self) -> str:
        return f"{self.device} {self.baud} 8{self.parity[0].upper()}{self.stop_bits}"


Way: TypeAlias = Endpoint | SerialPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Mutual TLS: the CA that signed the device's certificate, our own pair, and the name that
    must stand in the device's certificate (SAN, or CN where it has none)."""

    ca: Path
    certificate: Path
    key: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeScan:
    """One poll of `group`, objects `start` to `stop`, each `period_s`."""

    group: int
    start: int
    stop: int
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Settings:
    """One association: endpoints, link addresses, and how long the device may take.

    `response_timeout_s`: real seconds for one answer; `response_max_s`: for all fragments of one.
    `select_timeout_s`: how long the device holds a SELECT, as set in the device; OPERATE leaves in
    the first half of it or not at all (SG-01).
    `time_sync`: how the device's clock is set when it asks: "lan" (record current time), "non_lan"
    (delay measurement), "write" (a plain write of g50v1, for devices that know neither), "none".
    `disable_unsolicited_at_start`: false for a device that must not be sent function code 21 at
    all. One that merely ignores it is found out and left in peace.
    `unsolicited`: the event classes that the device may report unasked; empty: none.
    `event_scan`: the event classes that are read when the device says that it holds some.
    `integrity_s`, `class_s`: periods of the polls of everything, and of each event class by itself;
    None: the fastest point's scan period, and no poll of its own.
    `keep_alive_s`: silence after which REQUEST_LINK_STATUS is sent; unanswered it ends the link.
    `commands_together`: all outputs of one command in one request.
    """

    endpoints: tuple[Way, ...]
    master_address: int
    outstation_address: int
    response_timeout_s: float
    select_timeout_s: float
    time_sync: str
    disable_unsolicited_at_start: bool
    unsolicited: frozenset[int]
    event_scan: frozenset[int]
    tls: Tls | None
    integrity_s: float | None
    class_s: Mapping[int, float]
    scans: tuple[RangeScan, ...]
    keep_alive_s: float
    response_max_s: float
    write_deadbands: bool
    freeze_counters_s: float | None
    freeze_clears: bool
    commands_together: bool

    @property
    def endpoint(self) -> str:
        return ", ".join(str(endpoint) for endpoint in self.endpoints)

    def poll_s(self, scan_s: float) -> float:
        """The shortest time in which something is asked of the device."""
        integrity_s = self.integrity_s if self.integrity_s is not None else scan_s
        return min((integrity_s, *self.class_s.values(), *(s.period_s for s in self.scans)))


def read_settings(settings: LinkSettings) -> Dnp3Settings:
    """The options of `settings`. Raises ConfigError for unknown, missing or unusable ones."""
    options = Options(settings)
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
        endpoints=_endpoints(options, given),
        master_address=options.whole("master_address", 0, ADDRESS_MAX),
        outstation_address=options.whole("outstation_address", 0, ADDRESS_MAX),
        response_timeout_s=response_timeout_s,
        select_timeout_s=select_timeout_s,
        time_sync=time_sync,
        disable_unsolicited_at_start=bool(given.get("disable_unsolicited_at_start", True)),
        unsolicited=_classes(options, given, "unsolicited"),
        event_scan=_classes(options, given, "event_scan"),
        tls=_tls(options, given),
        integrity_s=_optional_s(options, given, "integrity_s"),
        class_s={
            one: period_s
            for one in (1, 2, 3)
            if (period_s := _optional_s(options, given, f"class_{one}_s")) is not None
        },
        scans=_scans(options, given),
        keep_alive_s=options.seconds("keep_alive_s", 1.0, 3_600.0, 30.0),
        response_max_s=options.seconds("response_max_s", 0.5, 600.0, 5.0),
        write_deadbands=bool(given.get("write_deadbands", False)),
        freeze_counters_s=_optional_s(options, given, "freeze_counters_s", 10.0),
        freeze_clears=bool(given.get("freeze_clears", False)),
        commands_together=bool(given.get("commands_together", False)),
    )
    if read.master_address == read.outstation_address:
        raise options.refuse(
            "outstation_address",
            f"master and outstation both have address {read.master_address}",
            "the two ends of an association have different link addresses",
        )
    if read.freeze_clears and read.freeze_counters_s is None:
        raise options.refuse(
            "freeze_clears", "nothing is frozen", "freeze_counters_s says how often"
        )
    return read


def _optional_s(
    options: Options, given: Mapping[str, OptionValue], key: str, low: float = 0.05
) -> float | None:
    return options.seconds(key, low, 86_400.0) if key in given else None


def _serial(options: Options, given: Mapping[str, OptionValue]) -> SerialPort:
    for key in _NETWORK_ONLY:
        if key in given:
            raise options.refuse(key, f"{key} has no meaning on a serial line", "leave it out")
    baud = options.whole("baud", min(BAUDS), max(BAUDS))
    if baud not in BAUDS:
        raise options.refuse("baud", f"baud is {baud}", f"one of {', '.join(map(str, BAUDS))}")
    parity = str(given.get("parity", "none"))
    if parity not in PARITIES:
        raise options.refuse("parity", f"parity is {parity!r}", f"one of {', '.join(PARITIES)}")
    return SerialPort(
        device=Path(options.text("serial")),
        baud=baud,
        parity=parity,
        stop_bits=options.whole("stop_bits", 1, 2) if "stop_bits" in given else 1,
    )


def _endpoints(options: Options, given: Mapping[str, OptionValue]) -> tuple[Way, ...]:
    if "serial" in given:
        return (_serial(options, given),)
    for key in _SERIAL_ONLY:
        if key in given:
            raise options.refuse(
                key, f"{key} is of a serial line", "write serial = … or leave it out"
            )
    first = Endpoint(host=options.text("host"), port=options.whole("port", 1, 65_535))
    if "backup_host" not in given and "backup_port" not in given:
        return (first,)
    for key in ("backup_host", "backup_port"):
        if key not in given:
            raise options.refuse(key, f"{key} is missing", "a backup has host and port")
    second = Endpoint(
        host=options.text("backup_host"), port=options.whole("backup_port", 1, 65_535)
    )
    if second == first:
        raise options.refuse("backup_port", "the backup is the first endpoint", "name another")
    return (first, second)


def _tls(options: Options, given: Mapping[str, OptionValue]) -> Tls | None:
    named = [key for key in _TLS if key in given]
    if not named:
        return None
    for key in _TLS:
        if not str(given.get(key, "")).strip():
            raise options.refuse(
                key,
                f"{key} is missing",
                "TLS here is mutual and pins the device's name: ca, certificate, key, tls_name",
            )
    for key in ("ca", "certificate", "key"):
        path = Path(options.text(key))
        if not path.is_file():
            raise options.refuse(key, f"{path} is not a file", "a PEM file")
    key_path = Path(options.text("key"))
    if key_path.stat().st_mode & 0o077:
        raise options.refuse("key", "can be read by other users", f"chmod 600 {key_path}")
    return Tls(
        ca=Path(options.text("ca")),
        certificate=Path(options.text("certificate")),
        key=key_path,
        name=options.text("tls_name").strip(),
    )


def _classes(options: Options, given: Mapping[str, OptionValue], key: str) -> frozenset[int]:
    text = str(given.get(key, "1,2,3")).strip()
    if text == "none":
        return frozenset()
    classes = [one.strip() for one in text.split(",")]
    if any(one not in ("1", "2", "3") for one in classes):
        raise options.refuse(key, f"{key} is {text!r}", "event classes as in 1,2,3, or none")
    return frozenset(int(one) for one in classes)


def _scans(options: Options, given: Mapping[str, OptionValue]) -> tuple[RangeScan, ...]:
    found = []
    for text in str(given.get("scans", "")).split():
        match = _SCAN.fullmatch(text)
        if match is None or int(match[1]) not in _SCANNED:
            raise options.refuse(
                "scans",
                f"{text!r} is no range scan",
                "group:start-stop@seconds with a static group, as in 30:0-99@5",
            )
        start = int(match[2])
        stop = int(match[3]) if match[3] else start
        period_s = float(match[4])
        if not start <= stop <= INDEX_MAX or not 0.05 <= period_s <= 86_400:  # noqa: PLR2004
            raise options.refuse(
                "scans", f"{text!r} is no range scan", "start up to stop, at least 0.05 s"
            )
        found.append(RangeScan(group=int(match[1]), start=start, stop=stop, period_s=period_s))
    return tuple(found)
