"""Plans as the console's JSON (api.ts PlanRow, PlanDetail). Pure functions."""

from __future__ import annotations

from collections import Counter

from gridctl.control.ports import HeldPlan, Picture, PlanView
from gridctl.model.planning import CaseResult, Horizon, PlanningResult, Verification
from gridctl.model.resource import ResourceKind, kind_of
from gridctl.web.json_values import Json, iso, rounded

MOVES_KW = 0.05
"""Less than this at the head is a device that stays where it is."""


def _interval_at(horizon: Horizon, interval: int) -> str:
    return iso(horizon.start_s + interval * horizon.step_s)


def plan_row(view: PlanView, picture: Picture) -> Json:
    """api.ts PlanRow."""
    stored, plan = view.stored, view.stored.plan
    kinds = {r.resource.mrid: kind_of(r.resource) for r in picture.resources}
    moved = Counter(kinds[m] for m in {s.resource for s in plan.result.setpoints} if m in kinds)
    return {
        "id": plan.mrid,
        "version": plan.version,
        "state": stored.state,
        "digest": stored.digest,
        "net_kw": round(plan.net_kw, 1),
        "customers": plan.customers,
        "cost": round(plan.result.cost, 2),
        "controls": {kind: moved.get(kind, 0) for kind in ResourceKind},
        "approvals": len(stored.approvals),
        "approvals_needed": view.approvals_needed,
        "expires_in_s": rounded(view.expires_in_s, 1),
        "blocked": list(view.blocked),
        "requests": list(plan.requests),
        "created": iso(plan.created_s),
        "reason": stored.reason,
    }


def held_view(held: HeldPlan | None) -> Json | None:
    """api.ts Held."""
    if held is None:
        return None
    return {
        "plan": held.plan,
        "made": None if held.made_s is None else iso(held.made_s),
        "is_active": held.is_active,
        "since": iso(held.since_s),
        "reason": held.reason,
    }


def _device_rows(view: PlanView, picture: Picture) -> list[Json]:
    result = view.stored.plan.result
    series: dict[str, dict[int, tuple[float, float]]] = {}
    for s in result.setpoints:
        series.setdefault(s.resource, {})[s.interval] = (s.kw, s.effect_kw)
    by_id = {r.resource.mrid: r for r in picture.resources}
    protocols = {h.link: h.protocol for h in picture.links}
    rows: list[Json] = []
    for mrid, values in series.items():
        shown = by_id.get(mrid)
        if shown is None:
            continue
        resource = shown.resource
        moving = [k for k, (_, effect_kw) in values.items() if abs(effect_kw) > MOVES_KW]
        first = min(moving or values)
        point = picture.points.get(resource.points.setpoint)
        protocol = "" if point is None else protocols.get(point.link, "")
        rows.append(
            {
                "resource": mrid,
                "name": resource.name,
                "kind": kind_of(resource),
                "node": resource.terminals[0].node,
                "area": resource.area,
                "starts": _interval_at(result.horizon, first),
                "now_kw": rounded(shown.confirmed_kw, 1),
                "to_kw": round(values[first][0], 1),
                "effect_kw": round(values[first][1], 1),
                "series_kw": [
                    rounded(values[k][0], 1) if k in values else None
                    for k in range(result.horizon.count)
                ],
                "how": {"dnp3": "DNP3 SBO", "opcua": "OPC UA"}.get(protocol, protocol),
            }
        )
    rows.sort(key=lambda row: (row["starts"], -abs(row["effect_kw"])))
    return rows


def plan_detail(view: PlanView, picture: Picture) -> Json:
    """api.ts PlanDetail."""
    plan = view.stored.plan
    result, horizon = plan.result, plan.result.horizon
    held = None if picture.cycle is None else picture.cycle.held
    names = {r.resource.mrid: r.resource.name for r in picture.resources}
    check = result.verification
    return {
        **plan_row(view, picture),
        "held": held_view(held) if held is not None and held.plan == plan.mrid else None,
        "proposed_by": plan.proposed_by,
        "cautions": [
            {"tag": t.id, "name": names.get(t.device, t.device), "text": t.words()}
            for t in view.cautions
        ],
        "on_failure": plan.on_failure,
        "snapshot_revision": plan.snapshot_revision,
        "approved_by": [
            {"by": a.by, "at": iso(a.at_s), "standing": a.standing} for a in view.stored.approvals
        ],
        "left_to_people": list(view.left_to_people),
        "horizon": {
            "start": iso(horizon.start_s),
            "step_s": horizon.step_s,
            "count": horizon.count,
        },
        "head_before_kw": [round(v, 1) for v in result.head_before_kw],
        "head_after_kw": [round(v, 1) for v in result.head_after_kw],
        "limit_kw": picture.head_limit_kw,
        "rows": _device_rows(view, picture),
        "excluded": [
            {"resource": e.resource, "name": names.get(e.resource, e.resource), "reason": e.reason}
            for e in result.excluded
        ],
        **_limits(result),
        "why": [
            {
                "resource": one.resource,
                "name": names.get(one.resource, one.resource),
                "from": _interval_at(horizon, one.first),
                "to": _interval_at(horizon, one.last + 1),
                "text": one.text,
            }
            for one in result.why
        ],
        "check": None if check is None else _check(check),
        "voltages": [] if check is None else _voltages(check),
        "solver": result.solver,
        "solve_s": round(result.solve_s, 3),
        "rounds": result.rounds,
        "status": result.status,
    }


def _limits(result: PlanningResult) -> Json:
    """What binds, what falls short, what was found."""
    horizon = result.horizon
    return {
        "bindings": [
            {
                "limit": b.limit,
                "where": b.where,
                "at": _interval_at(horizon, b.interval),
                "price": round(b.price, 4),
                "unit": b.unit,
            }
            for b in result.bindings
        ],
        "shortfalls": [
            {
                "limit": s.limit,
                "where": s.where,
                "at": _interval_at(horizon, s.interval),
                "amount": round(s.amount, 4),
                "unit": s.unit,
            }
            for s in result.shortfalls
        ],
        "findings": [
            {
                "kind": f.kind,
                "text": f.text,
                "from": None if f.first is None else _interval_at(horizon, f.first),
                "to": None if f.last is None else _interval_at(horizon, f.last + 1),
                "amount": rounded(f.amount, 4),
                "unit": f.unit,
                "cost": rounded(f.cost, 2),
                "resources": list(f.resources),
            }
            for f in result.findings
        ],
    }


def _voltages(check: Verification) -> list[Json]:
    return [
        {
            "node": v.node,
            "phase": v.phase,
            "before_pu": round(v.before_pu, 5),
            "after_pu": round(v.after_pu, 5),
        }
        for v in check.voltages
    ]


def _check(check: Verification) -> Json:
    return {
        "engine": check.engine,
        "ok": check.ok,
        "reasons": list(check.reasons),
        "before": _case(check.before),
        "after": _case(check.after),
        "linear_error_pu": round(check.linear_error_pu, 6),
    }


def _case(case: CaseResult) -> Json:
    return {
        "converged": case.converged,
        "worst_voltage_pu": round(case.worst_voltage_pu, 4),
        "worst_voltage_at": case.worst_voltage_at,
        "highest_voltage_pu": round(case.highest_voltage_pu, 4),
        "highest_voltage_at": case.highest_voltage_at,
        "worst_loading_pct": round(case.worst_loading_pct, 1),
        "worst_loading_at": case.worst_loading_at,
        "violations": case.violations,
        "losses_kw": round(case.losses_kw, 1),
    }
