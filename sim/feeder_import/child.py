"""The import in a process of its own.

A foreign circuit may crash the OpenDSS engine (a short-circuit power that makes an impedance that
is no number does), or keep it busy for ever. Neither may take the caller along.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import ConfigError, UnavailableError
from sim.feeder_import.opendss import Imported, import_opendss

DEADLINE_S: Final = 600.0
_PLACE_BYTES: Final = 400


def import_apart(master: Path, name: str, *, deadline_s: float = DEADLINE_S) -> Imported:
    """As `import_opendss`. Raises ConfigError also when the engine crashes, with the line that it
    was told last, and UnavailableError when it is not done within `deadline_s`."""
    context = multiprocessing.get_context("spawn")
    at = context.Array("c", _PLACE_BYTES)
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(theirs, at, str(master), name), daemon=True)
    worker.start()
    theirs.close()
    try:
        if not ours.poll(deadline_s):
            raise UnavailableError(f"{master}: not read within {deadline_s:g} s, at {_text(at)}")
        answer = ours.recv()
    except EOFError:
        raise ConfigError(
            f"the OpenDSS engine crashed, at {_text(at)}",
            file=str(master),
            hint="look there for a figure that makes no sense, such as MVAsc1 above 3/2 MVAsc3",
        ) from None
    finally:
        worker.kill()
        worker.join()
        ours.close()
    if isinstance(answer, _Refused):
        raise ConfigError(answer.message, file=answer.file, key=answer.key, hint=answer.hint)
    imported: Imported = answer
    return imported


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A ConfigError on its way between processes: exceptions with keywords do not travel."""

    message: str
    file: str
    key: str
    hint: str


def _text(at: Any) -> str:
    return at.value.decode("utf-8", "replace") or "its first line"


def _work(answers: Connection, at: Any, master: str, name: str) -> None:
    def passing(place: str) -> None:
        at.value = place.encode()[: _PLACE_BYTES - 1]

    try:
        answers.send(import_opendss(Path(master), name, passing=passing))
    except ConfigError as error:
        answers.send(
            _Refused(message=error.message, file=error.file, key=error.key, hint=error.hint)
        )
