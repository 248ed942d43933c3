"""`gridctl doctor`: look at everything that can stop a start, and say how to mend each."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from gridctl.config import Settings, load_settings
from gridctl.config_assets import load_feeder, load_resources
from gridctl.limitsfile import load_limits
from gridctl.model.errors import ConfigError
from gridctl.provenance import check_provenance
from gridctl.wallclock import check_machine_clock, system_clock

CERTIFICATE_WARN_DAYS = 30
DISK_FREE_MIN_BYTES = 500 * 1024 * 1024
CONNECT_DEADLINE_S = 2.0
LIBRARIES = (
    ("opendnp3", "field", "DNP3 master"),
    ("asyncua", "field", "OPC UA client"),
    ("aiohttp", "serve", "console and API"),
    ("sqlalchemy", "serve", "database"),
    ("scipy", "serve", "optimizer"),
    ("py_dss_interface", "sim", "simulator's engine (pilots only)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report: `state` is "ok", "warn" or "bad"."""

    check: str
    state: str
    detail: str
    mend: str = ""


def ok(check: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(check=check, state="ok", detail=detail)


def warn(check: str, detail: str, mend: str) -> Finding:
    """Works, but a person should look."""
    return Finding(check=check, state="warn", detail=detail, mend=mend)


def bad(check: str, detail: str, mend: str) -> Finding:
    """Stops a start."""
    return Finding(check=check, state="bad", detail=detail, mend=mend)


def examine(instance: Path, *, as_json: bool) -> int:
    """Print the findings; 1 when one of them is bad."""
    findings = list(findings_of(instance))
    if as_json:
        report = {
            "ok": all(f.state != "bad" for f in findings),
            "findings": [asdict(f) for f in findings],
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for f in findings:
            print(f"{f.state.upper():<5} {f.check:<22} {f.detail}")
            if f.mend:
                print(f"{'':<28} → {f.mend}")
    return int(any(f.state == "bad" for f in findings))


def findings_of(instance: Path) -> Iterator[Finding]:
    """All checks in the order in which a start would meet them."""
    yield _python()
    yield _guarded("packages", check_provenance, "the four packages are this installation's")
    yield from _libraries()
    yield _guarded("machine clock", check_machine_clock, "plausible")
    try:
        settings = load_settings(instance / "gridctl.toml")
    except ConfigError as error:
        yield bad("gridctl.toml", str(error), error.hint or "gridctl demo makes an example")
        return
    yield ok("gridctl.toml", f"{settings.site.name}")
    yield from _files(settings)
    yield from _secrets(settings)
    yield from _certificates(settings)
    yield _database(settings)
    yield _disk(instance)
    console = _web_port(settings)
    yield console
    yield from _devices(settings, running=console.state != "ok")
    if settings.field.stop_file.exists():
        yield warn(
            "STOP", f"{settings.field.stop_file} is set", "resume from the console, with a reason"
        )


def _python() -> Finding:
    shown = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return ok("python", shown)
    return bad("python", shown, "use Python 3.11, 3.12 or 3.13")


def _guarded(check: str, work: Callable[[], object], fine: str) -> Finding:
    try:
        work()
    except ConfigError as error:
        return bad(check, str(error), error.hint)
    return ok(check, fine)


def _libraries() -> Iterator[Finding]:
    for module, extra, use in LIBRARIES:
        try:
            importlib.import_module(module)
        except ImportError:
            yield warn(
                f"library {module}", f"absent: {use}", f"pip install 'gridctl[{extra}]' if needed"
            )
        else:
            yield ok(f"library {module}", use)


def _files(settings: Settings) -> Iterator[Finding]:
    def feeder_and_resources() -> None:
        load_resources(settings.site.resources, load_feeder(settings.site.feeder))

    yield _guarded("feeder and resources", feeder_and_resources, "agree with each other")
    yield _guarded(
        "limits",
        lambda: load_limits(settings.field.limits, signed_by=settings.field.limits_public_key),
        str(settings.field.limits.name),
    )
    try:
        points = importlib.import_module("protocols.points")
    except ImportError:
        yield warn("points", "not checked: no field driver here", "run doctor on the OT host too")
        return
    yield _guarded(
        "points",
        lambda: points.load_points(settings.field.points, settings.field.context()),
        settings.field.points.name,
    )


def _secrets(settings: Settings) -> Iterator[Finding]:
    for path in (settings.link.office_key, settings.link.office_public_key):
        if not path.is_file():
            yield bad(f"key {path.name}", f"{path} is absent", "make keys: gridctl demo shows how")
        elif path == settings.link.office_key and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield bad(f"key {path.name}", "others can read it", f"chmod 600 {path}")
        else:
            yield ok(f"key {path.name}", "there")


def _certificates(settings: Settings) -> Iterator[Finding]:
    paths = [settings.web.certificate] if settings.web.certificate else []
    for link in settings.field.links:
        for key in ("certificate", "server_certificate"):
            value = link.options().get(key)
            if isinstance(value, str):
                paths.append(Path(value))
    for path in paths:
        yield _certificate(path)


def _certificate(path: Path) -> Finding:
    name = f"certificate {path.name}"
    try:
        raw = path.read_bytes()
    except OSError as error:
        return bad(name, f"{path}: {error.strerror}", "put the certificate there or mend the path")
    try:
        found = (
            x509.load_pem_x509_certificate(raw)
            if raw.startswith(b"-----")
            else x509.load_der_x509_certificate(raw)
        )
    except ValueError:
        return bad(name, f"{path} is no certificate", "export it again as DER or PEM")
    now = datetime.fromtimestamp(system_clock().now_s(), UTC)
    left = (found.not_valid_after_utc - now).days
    if found.not_valid_before_utc > now:
        return bad(name, "is not valid yet", "check the machine's clock")
    if left < 0:
        return bad(name, f"expired {-left} days ago", "renew it")
    if left < CERTIFICATE_WARN_DAYS:
        return warn(name, f"expires in {left} days", "renew it")
    return ok(name, f"valid for {left} days")


def _database(settings: Settings) -> Finding:
    url = settings.database.url
    if not url.startswith("sqlite"):
        return ok("database", url.split("@")[-1])
    try:
        build = importlib.import_module("gridctl.store.sqlite_build")
    except ImportError:
        return warn("database", "not checked: no database library here", "run it on the IT host")
    return _guarded("database", build.sqlite_dbapi, url)


def _disk(instance: Path) -> Finding:
    free = shutil.disk_usage(instance).free
    shown = f"{free / 1e9:.1f} GB free"
    if free < DISK_FREE_MIN_BYTES:
        return bad("disk", shown, "make room: without a journal no command leaves")
    return ok("disk", shown)


def _web_port(settings: Settings) -> Finding:
    name = f"port {settings.web.port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web.host, settings.web.port))
        except OSError as error:
            return warn(
                name,
                f"{error.strerror}",
                "fine when gridctl runs; else choose another: [web] port",
            )
    return ok(name, "free for the console")


def _devices(settings: Settings, *, running: bool) -> Iterator[Finding]:
    """Whether the devices answer; never while gridctl is `running`: an outstation serves one
    master, and a second connection takes the place of the field agent's."""
    for link in settings.field.links:
        if running:
            yield ok(f"link {link.id}", "not tried, gridctl may run: see `gridctl status`")
            continue
        options = link.options()
        if "serial" in options:
            yield _serial_line(f"link {link.id}", Path(str(options["serial"])))
            continue
        host, port = options.get("host"), options.get("port")
        if "url" in options:
            host, _, port = str(options["url"]).split("://")[-1].split("/")[0].partition(":")
        name = f"link {link.id}"
        try:
            socket.create_connection((str(host), int(port or 0)), CONNECT_DEADLINE_S).close()
        except OSError as error:
            yield warn(name, f"{host}:{port} {error.strerror or error}", "is the device on?")
        else:
            yield ok(name, f"{host}:{port} answers")


def _serial_line(name: str, device: Path) -> Finding:
    """Whether the port is there and may be used; nothing is sent on it."""
    if not device.is_char_device():
        return warn(name, f"{device} is no serial port", "is the adapter plugged in?")
    if not os.access(device, os.R_OK | os.W_OK):
        return warn(name, f"{device} may not be used by this user", "join its group (dialout)")
    return ok(name, f"{device} is there")
