"""A trace of a running link: asked for as a person does, of real sessions of both protocols."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app
from gridctl.field.tracing import TraceWatch, answer_file, request_file
from gridctl.wallclock import system_clock
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import PeerFactory
from tests.contracts.peer_dnp3 import Dnp3Peer
from tests.contracts.peer_line_json import LineJsonPeer
from tests.contracts.peer_opcua import OpcUaPeer
from tests.contracts.test_driver_contract import rig_of


@pytest.fixture
def stop_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command line looks: an instance whose file says nothing else."""
    file = tmp_path / "STOP"
    settings = SimpleNamespace(field=SimpleNamespace(stop_file=file))
    monkeypatch.setattr("gridctl.config.load_settings", lambda _: settings)
    return file


async def gridctl(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["trace", *words])


async def polling(watch: TraceWatch) -> None:
    while True:
        await watch.poll()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("factory", "words", "has_pcap"),
    [
        (Dnp3Peer, ("→ device SELECT", "→ device OPERATE", "33.25", "← device RESPONSE"), True),
        (OpcUaPeer, ("→ device Call", "Double 33.25", "← device Call: Good"), False),
    ],
)
async def test_a_command_is_seen_passing(
    stop_file: Path, tmp_path: Path, factory: PeerFactory, words: tuple[str, ...], has_pcap: bool
) -> None:
    async with rig_of(factory, tmp_path / "bench") as rig:
        await rig.connected()
        watch = TraceWatch(stop_file, drivers={"BENCH": rig.driver}, clock=rig.clock)
        polls = asyncio.create_task(polling(watch))
        pcap = tmp_path / "link.pcap"
        more = ("--pcap", str(pcap)) if has_pcap else ()
        asked = asyncio.create_task(gridctl("BENCH", "--seconds", "3.0", *more))
        assert await rig.until(lambda: watch.traced == "BENCH", 30.0), (
            "the command line asked for no trace"
        )
        await rig.execute(rig.permit(bench.SETPOINT, 33.25))
        done = await asked
        polls.cancel()
        # A trace that is over costs nothing any more.
        kept = len(rig.driver.trace_lines())  # type: ignore[attr-defined]
        await rig.pump(0.6)
        assert len(rig.driver.trace_lines()) == kept  # type: ignore[attr-defined]
    assert done.exit_code == 0, done.output
    for word in words:
        assert word in done.stdout, f"{word!r} is not in:\n{done.stdout}"
    assert pcap.exists() == has_pcap
    if has_pcap:
        assert pcap.read_bytes()[:4] == b"\xd4\xc3\xb2\xa1"
    assert not answer_file(stop_file).exists(), "taken by who asked"


async def test_what_cannot_be_traced_is_said(tmp_path: Path) -> None:
    stop_file = tmp_path / "STOP"
    async with (
        rig_of(LineJsonPeer, tmp_path / "bench") as rig,
        rig_of(OpcUaPeer, tmp_path / "ua") as other,
    ):
        drivers = {"PLAIN": rig.driver, "UA": other.driver}
        watch = TraceWatch(stop_file, drivers=drivers, clock=system_clock())

        async def answered(body: Any) -> dict[str, Any]:
            request_file(stop_file).write_text(json.dumps(body), encoding="utf-8")
            await watch.poll()
            found: dict[str, Any] = json.loads(answer_file(stop_file).read_text("utf-8"))
            return found

        for body, why in (
            ({"request": "a", "link": "X", "seconds": 1}, "link X is not configured; one of PLAIN"),
            ({"request": "b", "link": "PLAIN", "seconds": 1}, "keeps no trace"),
            ({"request": "c", "link": "UA", "seconds": 1e9}, "can be traced, not 1000000000.0"),
            ({"request": "d", "link": "UA", "seconds": "long"}, "can be traced, not 'long'"),
            ([], "link  is not configured"),
        ):
            told = await answered(body)
            assert told["accepted"] is False
            assert why in told["text"]
        answer_file(stop_file).unlink()
        request_file(stop_file).write_bytes(b"\xff\xfe rubbish")
        await watch.poll()
        assert not answer_file(stop_file).exists(), "nobody to answer to"
        request_file(stop_file).write_text(
            json.dumps({"request": "e", "link": "UA", "seconds": 60})
        )
        await watch.poll()
        second = await answered({"request": "f", "link": "UA", "seconds": 1})
        assert "link UA is being traced" in second["text"]
        assert stat.S_IMODE(answer_file(stop_file).stat().st_mode) == 0o600
