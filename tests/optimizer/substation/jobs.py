"""Small jobs for engines; imports little, since each process has to."""

from __future__ import annotations

import os
import time

from optimizer.substation.engine import Job


def job(feeder: str, payload: bytes = b"") -> Job:
    return Job(cycle="1", feeder=feeder, kind="test", digest=payload.hex(), payload=payload)


def work(one: Job) -> tuple[str, int]:
    """Does what the payload says; its own process id."""
    if one.payload == b"die":
        os._exit(3)
    if one.payload == b"sleep":
        time.sleep(5.0)
    if one.payload == b"fail":
        raise ValueError("no such feeder")
    return one.feeder, os.getpid()
