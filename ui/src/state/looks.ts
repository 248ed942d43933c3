// How each bus and resource looks now, from the live frame (facts) or from a plan (an overlay).
import type { Feeder, PlanDetail } from "../api";
import { kw, pu, signedKw } from "../format";
import { nodeSeverity, voltageSeverity, worstVoltage } from "../judge";
import type { NodeLook, ResourceLook } from "../parts/oneline";
import { worstTag } from "../parts/tagmark";
import { silence, type Live } from "./merge";

const DEAD_BELOW_PU = 0.1;
/** A setpoint counts as reached within this. */
const REACHED_KW = 1;

export function liveNode(feeder: Feeder, live: Live | null, id: string, nowMs: number): NodeLook {
  const state = live?.nodes[id];
  const low = feeder.voltage_min_pu;
  const high = feeder.voltage_max_pu;
  const severity = nodeSeverity(state, silence(state, nowMs), low, high);
  const known = state?.v.filter((v) => v !== null) ?? [];
  return {
    severity, delta: null, mark: severity === "unknown",
    value: state ? (severity === "unknown" ? "?" : pu(worstVoltage(state.v, low, high))) : null,
    dead: known.length > 0 && known.every((v) => v < DEAD_BELOW_PU),
  };
}

export function liveResource(live: Live | null, id: string): ResourceLook {
  const r = live?.resources[id];
  const tag = worstTag(live?.tags, id);
  if (!r) return { state: "unknown", soc: null, note: null, tag };
  const base = { soc: r.soc_pct, note: null, tag };
  if (r.quality !== "good") return { ...base, state: "unknown" };
  if (r.excluded !== null) return { ...base, state: "excluded" };
  const wanted = r.intended_kw;
  const has = r.confirmed_kw;
  if (wanted !== null && (has === null || Math.abs(has - wanted) > REACHED_KW)) {
    return { ...base, state: "intended" };
  }
  if (wanted !== null || (r.lease_left_s ?? 0) > 0) {
    return { ...base, state: "confirmed", note: has === null ? null : kw(has) };
  }
  return { ...base, state: "idle" };
}

export type Overlay = "before" | "after" | "change";

interface Pair {
  before: number;
  after: number;
  delta: number;
}

/** Worst phase before and after, and the largest change, for each node that the check covers. */
export function voltagePairs(plan: PlanDetail, low: number, high: number): Map<string, Pair> {
  const by = new Map<string, { before: number[]; after: number[] }>();
  for (const v of plan.voltages) {
    const at = by.get(v.node) ?? { before: [], after: [] };
    at.before.push(v.before_pu);
    at.after.push(v.after_pu);
    by.set(v.node, at);
  }
  const found = new Map<string, Pair>();
  for (const [node, at] of by) {
    const deltas = at.after.map((a, i) => a - (at.before[i] as number));
    found.set(node, {
      before: worstVoltage(at.before, low, high) as number,
      after: worstVoltage(at.after, low, high) as number,
      delta: deltas.reduce((m, d) => (Math.abs(d) > Math.abs(m) ? d : m), 0),
    });
  }
  return found;
}

export function planNode(
  feeder: Feeder, pairs: Map<string, Pair>, overlay: Overlay, id: string,
): NodeLook {
  const pair = pairs.get(id);
  if (!pair) return { severity: "unmeasured", value: null, delta: null, mark: false, dead: false };
  const v = overlay === "before" ? pair.before : pair.after;
  return {
    severity: voltageSeverity(v, feeder.voltage_min_pu, feeder.voltage_max_pu),
    value: overlay === "change" ? `${pu(pair.before)} → ${pu(pair.after)}` : pu(v),
    delta: overlay === "change" ? pair.delta : null, mark: false, dead: false,
  };
}

/** Only what the plan moves or leaves out is drawn over it. */
export function planResource(plan: PlanDetail, id: string, live: Live | null): ResourceLook | null {
  const soc = live?.resources[id]?.soc_pct ?? null;
  const tag = worstTag(live?.tags, id);
  const row = plan.rows.find((r) => r.resource === id);
  if (row) return { state: "intended", soc, note: signedKw(-row.effect_kw), tag };
  if (plan.excluded.some((e) => e.resource === id)) return { state: "excluded", soc, note: null, tag };
  return null;
}
