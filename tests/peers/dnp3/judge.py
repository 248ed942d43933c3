"""tshark as the judge of what was on the wire: captured on loopback, decoded by somebody else."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SETTLE_S = 0.3
"""What the kernel needs to hand over the last packets."""
FAULTS = (
    "_ws.malformed || dnp3.hdr.CRC.incorrect || dnp3.data_chunk.CRC.incorrect || "
    "dnp.hdr.CRC.status == 0 || dnp.data_chunk.CRC.status == 0"
)
FUNCTIONS = {
    0: "CONFIRM", 1: "READ", 2: "WRITE", 3: "SELECT", 4: "OPERATE", 5: "DIRECT_OPERATE",
    6: "DIRECT_OPERATE_NR", 20: "ENABLE_UNSOLICITED", 21: "DISABLE_UNSOLICITED",
    23: "DELAY_MEASURE", 24: "RECORD_TIME", 129: "RESPONSE", 130: "UNSOLICITED",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """One application fragment, as tshark reads it."""

    function: str
    source: int
    objects: str
    value: str
    status: str


@dataclass(slots=True)
class Verdict:
    """Filled when the capture has ended."""

    frames: int = 0
    faults: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def of(self, *functions: str) -> list[Seen]:
        return [one for one in self.seen if one.function in functions]


@asynccontextmanager
async def judged(port: int, folder: Path) -> AsyncIterator[Verdict]:
    """Capture what passes `port` of loopback during the block; the verdict is there after it."""
    for program in ("dumpcap", "tshark"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: tshark)")
    file = folder / "wire.pcapng"
    catcher = await asyncio.create_subprocess_exec(
        "dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert catcher.stderr is not None
    said = ""
    async with asyncio.timeout(15.0):
        while "File:" not in said:
            line = (await catcher.stderr.readline()).decode()
            said += line
            if not line:
                pytest.skip(f"dumpcap may not capture on loopback: {said.strip()[-200:]}")
    verdict = Verdict()
    try:
        yield verdict
        await asyncio.sleep(SETTLE_S)
    finally:
        catcher.send_signal(signal.SIGINT)
        await catcher.communicate()
    await asyncio.to_thread(_read, file, port, verdict)


def _read(file: Path, port: int, verdict: Verdict) -> None:
    verdict.frames = len(_tshark(file, port, "-Y", "dnp3"))
    verdict.faults = _tshark(file, port, "-Y", FAULTS)
    for line in _tshark(
        file, port, "-Y", "dnp3.al.func", "-T", "fields", "-E", "separator=|",
        "-e", "dnp3.al.func", "-e", "dnp3.src", "-e", "dnp3.al.obj",
        "-e", "dnp3.al.anaout.float", "-e", "dnp3.al.ctrlstatus",
    ):  # fmt: skip
        functions, source, objects, value, status = line.split("|")
        number = int(functions.split(",")[0], 0)
        verdict.seen.append(
            Seen(
                function=FUNCTIONS.get(number, str(number)),
                source=int(re.split(r"[,]", source)[0]),
                objects=objects,
                value=value,
                status=status,
            )
        )


def _tshark(file: Path, port: int, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-r", str(file), "-d", f"tcp.port=={port},dnp3", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()
