"""The model's values as the console's JSON (the contract is ui/src/api.ts). Pure functions.

Unknown is null, never zero; times are ISO 8601 UTC in grid time; ages are real seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from gridctl.control.ports import (
    AuditRow,
    ChainCheck,
    CommandRow,
    EffectView,
    Picture,
    PlanView,
    ResourceView,
    TagView,
)
from gridctl.model.alarm import Alarm, AlarmState, process_link
from gridctl.model.measurement import Measurement, Point, Validity
from gridctl.model.network import BranchKind, Feeder
from gridctl.model.planning import Forecast, Series
from gridctl.model.program import DispatchRequest
from gridctl.model.quantity import Unit
from gridctl.model.resource import LoadGroup, Resource, kind_of
from gridctl.web.json_values import Json, iso, rounded
from gridctl.web.link_views import links_view
from gridctl.web.plan_views import held_view, plan_row

ALARMS_ON_TOP_MAX = 8
GAP_S = 31 * 60.0
"""A little more than two intervals of the coarsest history (15 min), which draws as a line."""


def feeder_view(
    feeder: Feeder,
    resources: Sequence[Resource],
    *,
    voltage_min_pu: float,
    voltage_max_pu: float,
    utc_offset_s: float,
) -> Json:
    """The static picture of a feeder (api.ts Feeder)."""
    branches: list[Json] = []
    for kind, items in (
        ("line", feeder.lines),
        ("transformer", feeder.transformers),
        ("regulator", feeder.regulators),
    ):
        branches += [
            {
                "id": b.mrid,
                "from": b.from_node,
                "to": b.to_node,
                "phases": b.phases,
                "kind": kind,
            }
            for b in items
        ]
    branches += [
        {
            "id": e.mrid if i == 0 else f"{e.mrid}#{i + 1}",
            "from": first,
            "to": other,
            "phases": "".join(phase for node, phase in e.terminals if node == other),
            "kind": "transformer" if e.kind is BranchKind.TRANSFORMER else "line",
        }
        for e in feeder.equivalents
        for first, *rest in (e.nodes(),)
        for i, other in enumerate(rest)
    ]
    branches += [
        {
            "id": s.mrid,
            "from": s.from_node,
            "to": s.to_node,
            "phases": s.phases,
            "kind": "open_switch" if s.is_open else "switch",
        }
        for s in feeder.switches
    ]
    return {
        "id": feeder.mrid,
        "name": feeder.name,
        "digest": feeder.digest(),
        "source": feeder.source.node,
        "nodes": [
            {"id": n.mrid, "phases": n.phases, "kv": n.nominal_kv, "x": n.x, "y": n.y}
            for n in feeder.nodes
        ],
        "branches": branches,
        "resources": [
            {
                "id": r.mrid,
                "name": r.name,
                "kind": kind_of(r),
                "node": r.terminals[0].node,
                "rating_kw": r.rating_kw,
                "area": r.area,
                "customers": r.customers if isinstance(r, LoadGroup) else 0,
            }
            for r in resources
        ],
        "capacitors": [{"id": c.mrid, "node": c.node} for c in feeder.capacitors],
        "voltage_min_pu": voltage_min_pu,
        "voltage_max_pu": voltage_max_pu,
        "utc_offset_s": utc_offset_s,
    }


def node_points(points: Mapping[str, Point], feeder: Feeder) -> dict[str, dict[str, str]]:
    """Node → phase → mrid of its voltage point, for the nodes that are measured."""
    nodes = feeder.node_index()
    found: dict[str, dict[str, str]] = {}
    for point in points.values():
        if point.unit is Unit.VOLT_PU and point.equipment in nodes and point.phase in "ABC":
            found.setdefault(point.equipment, {})[point.phase] = point.mrid
    return found


class FrameView:
    """Turns a `Picture` into api.ts Frame. Keeps what does not change between frames."""

    def __init__(self, feeder: Feeder, *, time_rate: float) -> None:
        self._feeder = feeder
        self._phases = {n.mrid: n.phases for n in feeder.nodes}
        self._rate = time_rate
        self._points_seen = -1
        self._voltage: dict[str, dict[str, str]] = {}

    def age_s(self, picture: Picture, found: Measurement) -> float:
        """Real seconds since `found` arrived."""
        return round(max(0.0, (picture.at_s - found.received_time_s) / self._rate), 1)

    def frame(
        self,
        picture: Picture,
        *,
        seq: int,
        plans: Sequence[PlanView],
        requests: Sequence[DispatchRequest],
        trend: Series | None,
    ) -> Json:
        """One frame; `trend` is given for the full one only."""
        if len(picture.points) != self._points_seen:
            self._points_seen = len(picture.points)
            self._voltage = node_points(picture.points, self._feeder)
        return {
            "seq": seq,
            "at": iso(picture.at_s),
            "full": trend is not None,
            "mode": picture.mode,
            "stopped": picture.stopped,
            "field_connected": picture.field_connected,
            "head": self._head(picture),
            "nodes": {n: self._node(picture, n, by) for n, by in self._voltage.items()},
            "resources": {
                r.resource.mrid: resource_view(r, picture.at_s, self._rate)
                for r in picture.resources
            },
            "links": links_view(picture),
            "alarms": alarms_view(picture.alarms),
            "plans": [plan_row(p, picture) for p in plans],
            "forecast": None if picture.forecast is None else forecast_view(picture.forecast),
            "trend": None if trend is None else _head_trend(trend),
            "cycle": None
            if picture.cycle is None
            else {
                "at": iso(picture.cycle.at_s),
                "status": picture.cycle.status,
                "reason": picture.cycle.reason,
                "held": held_view(picture.cycle.held),
            },
            "effect": None if picture.effect is None else effect_view(picture.effect),
            "requests": [request_view(r) for r in requests],
            "blocked": list(picture.blocked),
            "tags": [tag_view(t) for t in picture.tags],
        }

    def _head(self, picture: Picture) -> Json:
        found = picture.snapshot.values.get(picture.head_point)
        return {
            "kw": None if found is None else round(found.value, 1),
            "limit_kw": picture.head_limit_kw,
            "quality": Validity.INVALID if found is None else found.quality.validity,
            "age_s": 0.0 if found is None else self.age_s(picture, found),
        }

    def _node(self, picture: Picture, node: str, by_phase: Mapping[str, str]) -> Json:
        found = {p: picture.snapshot.values.get(m) for p, m in by_phase.items()}
        known = [m for m in found.values() if m is not None]
        order = [Validity.GOOD, Validity.QUESTIONABLE, Validity.INVALID]
        worst = max((order.index(m.quality.validity) for m in known), default=2)
        return {
            "v": [
                None if (m := found.get(p)) is None else round(m.value, 4)
                for p in self._phases[node]
            ],
            "q": order[worst],
            "age_s": max((self.age_s(picture, m) for m in known), default=0.0),
        }


def resource_view(view: ResourceView, at_s: float, time_rate: float) -> Json:
    """api.ts ResourceState."""
    lease = view.lease_until_s
    return {
        "kind": kind_of(view.resource),
        "power_kw": rounded(view.power_kw, 1),
        "confirmed_kw": rounded(view.confirmed_kw, 1),
        "intended_kw": rounded(view.intended_kw, 1),
        "available_kw": rounded(view.available_kw, 1),
        "soc_pct": rounded(view.soc_pct, 1),
        "lease_left_s": None if lease is None else round(max(0.0, (lease - at_s) / time_rate), 0),
        "excluded": view.excluded,
        "quality": view.quality.validity,
        "age_s": rounded(view.age_s, 1),
    }


def alarms_view(alarms: Sequence[Alarm]) -> Json:
    """api.ts Frame.alarms: what lasts comes before what has returned to normal unseen."""
    shown = [a for a in alarms if a.state is not AlarmState.NORMAL]
    states = Counter(a.state for a in shown)
    returned = AlarmState.CLEARED_UNACKED
    shown.sort(key=lambda a: (a.state is returned, a.priority, -a.raised_s))
    return {
        "active": states[AlarmState.UNACKED] + states[AlarmState.ACKED],
        "unacked": states[AlarmState.UNACKED] + states[returned],
        "returned": states[returned],
        "top": [alarm_view(a) for a in shown[:ALARMS_ON_TOP_MAX]],
    }


def alarm_view(alarm: Alarm) -> Json:
    """api.ts Alarm."""
    return {
        "key": alarm.key,
        "priority": alarm.priority,
        "text": alarm.text,
        "response": alarm.response,
        "raised": iso(alarm.raised_s),
        "cleared": None if alarm.cleared_s is None else iso(alarm.cleared_s),
        "acked_by": alarm.acked_by,
        "state": alarm.state,
        "source": process_link(alarm.key) or "",
    }


def tag_view(view: TagView) -> Json:
    """api.ts Tag."""
    tag, asked = view.tag, view.tag.removal
    return {
        "id": tag.id,
        "kind": tag.kind,
        "blocks": tag.kind.blocks,
        "device": tag.device,
        "by": tag.by,
        "at": iso(tag.at_s),
        "reason": tag.reason,
        "work_order": tag.work_order,
        "until": None if tag.until_s is None else iso(tag.until_s),
        "in_field": view.in_field,
        "removal": None
        if asked is None
        else {"by": asked.by, "at": iso(asked.at_s), "reason": asked.reason},
    }


def forecast_view(forecast: Forecast) -> Json:
    """api.ts ForecastState."""

    def at(q: float) -> list[float]:
        return [round(v, 1) for v in forecast.at_quantile(q)]

    return {
        "start": iso(forecast.horizon.start_s),
        "step_s": forecast.horizon.step_s,
        "p10": at(0.1),
        "p50": at(0.5),
        "p90": at(0.9),
        "method": forecast.method,
        "nmae_pct": rounded(forecast.nmae_pct, 2),
    }


def effect_view(effect: EffectView) -> Json:
    """api.ts Effect."""
    return {
        "plan": effect.plan,
        "expected_kw": round(effect.expected_kw, 1),
        "band_kw": [round(b, 1) for b in effect.band_kw],
        "measured_kw": rounded(effect.measured_kw, 1),
        "settled": effect.settled,
        "kept": effect.kept,
    }


def request_view(request: DispatchRequest) -> Json:
    """api.ts Request."""
    return {
        "id": request.mrid,
        "event_id": request.event_id,
        "name": request.name,
        "source": request.source,
        "start": iso(request.start_s),
        "end": iso(request.end_s),
        "target_kw": request.target_kw,
        "export_max_kw": request.export_max_kw,
        "state": request.state,
    }


def command_view(row: CommandRow, picture: Picture) -> Json:
    """api.ts CommandRow."""
    command = row.command
    names = {r.resource.mrid: r.resource.name for r in picture.resources}
    point = picture.points.get(command.point)
    protocols = {h.link: h.protocol for h in picture.links}
    return {
        "id": command.mrid,
        "plan": command.plan,
        "resource": command.resource,
        "name": names.get(command.resource, command.resource),
        "point": command.point,
        "value": round(command.value, 2),
        "unit": "" if point is None else point.unit,
        "effect_kw": round(command.effect_kw, 1),
        "state": row.state,
        "status": row.status,
        "detail": row.detail,
        "protocol": "" if point is None else protocols.get(point.link, ""),
        "history": [
            {"state": state, "at": iso(at_s), "status": status, "detail": detail}
            for state, at_s, status, detail in row.history
        ],
        "measured_kw": rounded(row.measured_kw, 1),
    }


def audit_view(row: AuditRow) -> Json:
    """api.ts AuditRow."""
    e = row.entry
    return {
        "sequence": row.sequence,
        "at": iso(e.at_s),
        "who": e.who,
        "role": e.role,
        "source": e.source,
        "action": e.action,
        "object": e.object,
        "before": e.before,
        "after": e.after,
        "reason": e.reason,
        "result": e.result,
        "plan_digest": e.plan_digest,
        "hash": row.hash,
    }


def chain_view(check: ChainCheck) -> Json:
    """api.ts ChainCheck."""
    return {
        "rows": check.rows,
        "ok": check.ok,
        "first_bad": check.first_bad,
        "detail": check.detail,
    }


def _known(series: Series) -> list[tuple[float, float | None]]:
    """Middle of each interval and its mean; a silence longer than GAP_S stays a gap (null)."""
    out: list[tuple[float, float | None]] = []
    for k, value in enumerate(series.values):
        if value is None:
            continue
        at_s = series.start_s + (k + 0.5) * series.step_s
        if out and at_s - out[-1][0] > GAP_S:
            out.append((at_s - series.step_s, None))
        out.append((at_s, value))
    return out


def _head_trend(series: Series) -> Json:
    known = _known(series)
    return {"t": [iso(t) for t, _ in known], "head_kw": [rounded(v, 1) for _, v in known]}


def trend_view(point: Point, series: Series) -> Json:
    """api.ts Trend: gaps stay gaps."""
    known = _known(series)
    return {
        "point": point.mrid,
        "unit": point.unit,
        "t": [iso(t) for t, _ in known],
        "v": [rounded(v, 4) for _, v in known],
    }
