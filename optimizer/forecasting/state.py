"""A forecaster as arrays and back: so that a restart need not learn anew. No pickles."""

from __future__ import annotations

import io
from collections import deque
from typing import Any
from zipfile import BadZipFile

import numpy as np

from optimizer.forecasting.conformal import Width
from optimizer.forecasting.ensemble import Learned
from optimizer.forecasting.glm import HongFit
from optimizer.forecasting.online import Forecaster, Track
from optimizer.forecasting.regression import LeadRegression

VERSION = 2


def saved(forecaster: Forecaster) -> bytes:
    """All that it knows, as an .npz file."""
    learned, track = forecaster.learned, forecaster.track
    state: dict[str, Any] = {
        "version": VERSION,
        "trained_at": forecaster.trained_at,
        "leads": learned.leads,
        "history_days": learned.history_days,
        "stations": learned.stations,
        "origins": track.origins,
        "said": track.said,
        "actual": track.actual,
        "point": forecaster.point,
    }
    for k, one in enumerate(learned.differences):
        state |= {f"difference{k}_leads": one.leads, f"difference{k}": one.coefficients}
    if learned.hong is not None:
        state |= {
            "hong": learned.hong.beta,
            "hong_lite": learned.hong.lite,
            "hong_residual_leads": learned.hong.residual.leads,
            "hong_residual": learned.hong.residual.coefficients,
        }
    for k, width in enumerate(forecaster.widths):
        state[f"width{k}"] = width.scale
        rows = [[target, *low, *high] for target, low, high in width.pending]
        state[f"pending{k}"] = np.array(rows).reshape(len(rows), 1 + 2 * len(width.scale))
    file = io.BytesIO()
    np.savez_compressed(file, **state)
    return file.getvalue()


def restored(content: bytes) -> Forecaster:
    """Raises ValueError for what is no saved forecaster, or one of another version."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
    except (BadZipFile, OSError, EOFError, ValueError) as wrong:
        raise ValueError(f"this is no saved forecaster: {wrong}") from None
    if int(state.get("version", np.array(0))) != VERSION:
        raise ValueError(f"a saved forecaster of version {state.get('version')}, not {VERSION}")
    try:
        return _made(state)
    except KeyError as missing:
        raise ValueError(f"the saved forecaster lacks {missing}") from None


def _made(state: dict[str, Any]) -> Forecaster:
    hong = None
    if "hong" in state:
        residual = LeadRegression(
            leads=state["hong_residual_leads"], coefficients=state["hong_residual"]
        )
        hong = HongFit(beta=state["hong"], residual=residual, lite=bool(state["hong_lite"]))
    first, second = (
        LeadRegression(leads=state[f"difference{k}_leads"], coefficients=state[f"difference{k}"])
        for k in (0, 1)
    )
    leads = tuple(int(lead) for lead in state["leads"])
    learned = Learned(
        leads=leads,
        history_days=float(state["history_days"]),
        stations=state["stations"],
        hong=hong,
        differences=(first, second),
    )
    widths = []
    for k in range(len(leads)):
        scale = state[f"width{k}"]
        pairs = len(scale)
        pending = deque(
            (int(row[0]), row[1 : 1 + pairs], row[1 + pairs :]) for row in state[f"pending{k}"]
        )
        widths.append(Width(scale=scale, pending=pending))
    return Forecaster(
        learned,
        trained_at=int(state["trained_at"]),
        track=Track(origins=state["origins"], said=state["said"], actual=state["actual"]),
        widths=widths,
        point=state["point"],
    )
