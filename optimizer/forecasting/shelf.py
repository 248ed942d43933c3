"""Forecasters on disk: one file a series, written whole or not at all. No pickles.

A file holds what the forecaster has learned, and the last values of its series, by which it is
known again. What cannot be read is told, put aside and learned anew: it never keeps the mind from
starting.
"""

from __future__ import annotations

import io
import logging
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.online import Forecaster
from optimizer.forecasting.state import restored, saved

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shelved:
    """`name`: of the file, "" before the first time; `key`: (step, offset, count, weather);
    `slots`, `load_kw`: the last values that were seen."""

    name: str
    key: tuple[float, float, int, str]
    slots: IntArray
    load_kw: FloatArray
    forecaster: Forecaster


class Shelf:
    """A folder of forecasters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, one: Shelved) -> str:
        """Write it in place of its older self; the name. A full disk is told, not raised."""
        name = one.name or f"{uuid.uuid4().hex}.npz"
        step_s, offset_s, count, weather = one.key
        file = io.BytesIO()
        np.savez(
            file,
            key=np.array([step_s, offset_s, count]),
            weather=np.array(weather),
            slots=one.slots,
            load_kw=one.load_kw,
            forecaster=np.frombuffer(saved(one.forecaster), dtype=np.uint8),
        )
        aside = self._folder / f".{name}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as out:
                out.write(file.getvalue())
                out.flush()
                os.fsync(out.fileno())
            aside.replace(self._folder / name)
        except OSError as wrong:
            _log.warning("what the forecaster has learned cannot be kept: %s", wrong)
        return name

    def drop(self, name: str) -> None:
        """The series is not followed any more."""
        if name:
            (self._folder / name).unlink(missing_ok=True)

    def found(self, limit: int) -> Sequence[Shelved]:
        """What was left here, the oldest first, the newest `limit` of them."""
        try:
            files = sorted(self._folder.glob("*.npz"), key=lambda f: f.stat().st_mtime)
        except OSError:
            return []
        read = []
        for file in [f for f in files if not f.name.startswith(".")][-limit:]:
            try:
                read.append(_read(file))
            except (OSError, ValueError, KeyError, BadZipFile) as wrong:
                _log.warning("%s is not used: %s", file, wrong)
                file.unlink(missing_ok=True)
        return read


def _read(file: Path) -> Shelved:
    with np.load(file, allow_pickle=False) as content:
        step_s, offset_s, count = content["key"].tolist()
        return Shelved(
            name=file.name,
            key=(float(step_s), float(offset_s), int(count), str(content["weather"])),
            slots=content["slots"],
            load_kw=content["load_kw"],
            forecaster=restored(content["forecaster"].tobytes()),
        )
