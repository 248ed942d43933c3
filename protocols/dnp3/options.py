"""Which options a DNP3 link has, what each means, and how one is read or refused."""

from __future__ import annotations

from collections.abc import Mapping

from gridctl.model.errors import ConfigError
from protocols.driver import LinkSettings, OptionValue

BY_NETWORK: Mapping[str, type] = {"host": str, "port": int}
BY_SERIAL: Mapping[str, type] = {"serial": str, "baud": int}
NEEDED: Mapping[str, type] = {
    "master_address": int,
    "outstation_address": int,
    "response_timeout_s": float,
    "select_timeout_s": float,
}
OPTIONAL: Mapping[str, type] = {
    "heartbeat": str,
    "parity": str,
    "stop_bits": int,
    "backup_host": str,
    "backup_port": int,
    "ca": str,
    "certificate": str,
    "key": str,
    "tls_name": str,
    "time_sync": str,
    "disable_unsolicited_at_start": bool,
    "unsolicited": str,
    "event_scan": str,
    "integrity_s": float,
    "class_1_s": float,
    "class_2_s": float,
    "class_3_s": float,
    "scans": str,
    "keep_alive_s": float,
    "response_max_s": float,
    "write_deadbands": bool,
    "freeze_counters_s": float,
    "freeze_clears": bool,
    "commands_together": bool,
}
OPTION_MEANINGS: Mapping[str, tuple[str, str]] = {
    "host": ("none: must be written", "Where the device listens."),
    "port": ("none: must be written", "Its TCP port, 20000 as a rule (19999 with TLS)."),
    "serial": ("none", "Instead of host and port: the serial port, 8 data bits, for us alone."),
    "baud": ("none: with `serial`", "Its speed, as the device has it: 1200 to 115200."),
    "parity": ("none", "`none`, `even` or `odd`."),
    "stop_bits": ("1", "1 or 2."),
    "master_address": ("none: must be written", "Our link address, 0 to 65519."),
    "outstation_address": (
        "none: must be written",
        "The device's link address, 0 to 65519; broadcast addresses are refused.",
    ),
    "response_timeout_s": (
        "none: must be written",
        "Seconds for one answer, 0.05 to 60, at most half of select_timeout_s.",
    ),
    "select_timeout_s": (
        "none: must be written",
        (
            "How long the device holds a SELECT, as set in the device; OPERATE leaves in the first "
            "half of it or not at all."
        ),
    ),
    "heartbeat": ("none", "mRID of a point that moves all the time."),
    "backup_host": ("none", "A second way to the same device, tried in turn; with `backup_port`."),
    "backup_port": ("none", "Port of the second way."),
    "ca": ("none", "TLS: the certificate of the authority that signed the device's. PEM."),
    "certificate": ("none", "TLS: our certificate, PEM."),
    "key": ("none", "TLS: its private key, PEM, mode 0600."),
    "tls_name": (
        "none",
        (
            "TLS: the name that must stand in the device's certificate (SAN, or CN where it has "
            "none). All four of the TLS keys or none."
        ),
    ),
    "time_sync": (
        "lan",
        (
            "How the clock is set when the device asks: `lan`, `non_lan`, `write` (a plain write, "
            "for devices that know neither), `none`."
        ),
    ),
    "disable_unsolicited_at_start": (
        "true",
        (
            "false for a device that must not be sent function code 21. One that merely ignores it "
            "is found out."
        ),
    ),
    "unsolicited": ("1,2,3", "Event classes that the device may report unasked, or `none`."),
    "event_scan": (
        "1,2,3",
        (
            "Event classes that are read as soon as the device says that it holds some (IIN1.1 to "
            "1.3), or `none`. One that it may report unasked is left to it first, for two answer "
            "times and at least a second."
        ),
    ),
    "integrity_s": ("the fastest point's scan_s", "Period of the poll of everything."),
    "class_1_s": ("none", "Period of a poll of class 1 events by themselves; so `class_2_s`, …"),
    "class_2_s": ("none", "As `class_1_s`, of class 2."),
    "class_3_s": ("none", "As `class_1_s`, of class 3."),
    "scans": ("none", "Polls of ranges, separated by spaces: `30:0-99@5 1:4@1`."),
    "keep_alive_s": (
        "30",
        "Silence after which the link status is asked for; unanswered it ends the connection.",
    ),
    "response_max_s": (
        "5",
        "Seconds for all of one response, which a command may wait for; more on slow lines.",
    ),
    "write_deadbands": ("false", "Write the deadbands of the points file to the device (g34v3)."),
    "freeze_counters_s": ("none", "Freeze all counters in this period, at least 10."),
    "freeze_clears": ("false", "And set them to zero."),
    "commands_together": (
        "false",
        (
            "true: lease, setpoint and enabling output go in one SELECT and one OPERATE, for "
            "devices that take several controls a request. Refused is then all of it."
        ),
    ),
}
"""Default and meaning of each option, for docs/reference/dnp3.md."""


class Options:
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
        by_serial = any(key in self._settings.options for key in BY_SERIAL)
        needed = {**(BY_SERIAL if by_serial else BY_NETWORK), **NEEDED}
        known = {**BY_NETWORK, **BY_SERIAL, **NEEDED, **OPTIONAL}
        for key, value in self._settings.options.items():
            if key not in known:
                raise self.refuse(
                    key, f"unknown option {key!r}", f"options of dnp3: {', '.join(known)}"
                )
            self._check_type(key, value, known[key])
        for key in needed:
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

    def seconds(self, key: str, low: float, high: float, default: float | None = None) -> float:
        if default is not None and key not in self._settings.options:
            return default
        value = float(self._settings.options[key])
        if not low <= value <= high:
            raise self.refuse(key, f"{key} is {value:g}", f"must be {low:g} to {high:g} s")
        return value
