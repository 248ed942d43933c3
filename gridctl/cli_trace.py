"""`gridctl trace LINK`: what passes a running link, in words and as a file for tshark."""

from __future__ import annotations

import base64
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, EXIT_UNAVAILABLE, ending, fail

GRACE_S = 15.0
"""Real seconds on top of the trace itself in which the field agent must have answered."""
LOOK_S = 0.1
DEFAULT_INSTANCE = Path(".gridctl/demo")


def trace_link(
    link: Annotated[str, typer.Argument(help="Id of a [[field.links]] table.")],
    seconds: Annotated[float, typer.Option(min=0.5, max=300, help="Real seconds.")] = 10.0,
    pcap: Annotated[
        Path | None, typer.Option(help="Write a pcap file for tshark, too (DNP3 only).")
    ] = None,
    instance: Annotated[
        Path, typer.Option("--instance", "-i", envvar="GRIDCTL_INSTANCE", help="Its folder.")
    ] = DEFAULT_INSTANCE,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")
    ] = False,
) -> None:
    """What passes a running link for a while: each message in words. Run it on the field's host.

    The link goes on as before; inside TLS and OPC UA's channel it is the clear text. Exit codes: 1
    refused, with the reason; 4 when no field agent answers.
    """
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose
    from gridctl.field.tracing import answer_file, request_file  # noqa: PLC0415

    with ending():
        stop_file = load_settings(instance / "gridctl.toml").field.stop_file
    request = uuid.uuid4().hex
    wanted = request_file(stop_file)
    try:
        aside = wanted.with_suffix(".new")
        body = {"request": request, "link": link, "seconds": seconds}
        aside.write_text(json.dumps(body), encoding="utf-8")
        aside.replace(wanted)
    except OSError as error:
        fail(f"{wanted}: {error.strerror}", EXIT_UNAVAILABLE)
    found = _answered(answer_file(stop_file), request, seconds + GRACE_S)
    if found is None:
        wanted.unlink(missing_ok=True)
        fail(f"no field agent answered within {seconds + GRACE_S:g} s", EXIT_UNAVAILABLE)
    if not found["accepted"]:
        fail(found["text"], EXIT_REFUSED)
    if pcap is not None:
        _write_pcap(pcap, found)
    found.pop("pcap")
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in found["lines"]:
        print(line)
    if found["left_out"]:
        print(f"gridctl: {found['left_out']} older messages are left out", file=sys.stderr)


def _write_pcap(path: Path, found: dict[str, Any]) -> None:
    if not found["pcap"]:
        fail("the protocol of this link has no pcap that would help", EXIT_REFUSED)
    try:
        with path.open("xb") as file:
            file.write(base64.b64decode(found["pcap"]))
    except OSError as error:
        fail(f"{path}: {error.strerror}", EXIT_REFUSED)


def _answered(answer: Path, request: str, within_s: float) -> dict[str, Any] | None:
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found.get("request") == request:
            answer.unlink(missing_ok=True)
            return found
        time.sleep(LOOK_S)
    return None
