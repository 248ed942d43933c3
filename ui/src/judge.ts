// What is normal, what is not, and what stands in the way of an approval. Pure.
import type { Alarm, Frame, NodeState, PlanDetail, PlanRow, Session } from "./api";
import type { Liveness } from "./state/stale";

export type Severity = "normal" | "warn" | "alarm" | "unknown" | "unmeasured";

/** Within this of a limit a voltage is worth a look (a tap step of a regulator is 0.00625 pu). */
export const VOLTAGE_MARGIN_PU = 0.003;

export function voltageSeverity(v: number, low: number, high: number): Severity {
  if (v < low || v > high) return "alarm";
  if (v < low + VOLTAGE_MARGIN_PU || v > high - VOLTAGE_MARGIN_PU) return "warn";
  return "normal";
}

/** The phase voltage that deviates most from the middle of the band. */
export function worstVoltage(
  values: readonly (number | null)[], low: number, high: number,
): number | null {
  const middle = (low + high) / 2;
  let worst: number | null = null;
  for (const v of values) {
    if (v === null) continue;
    if (worst === null || Math.abs(v - middle) > Math.abs(worst - middle)) worst = v;
  }
  return worst;
}

/** Worst first. */
export const SEVERITIES: readonly Severity[] = ["alarm", "warn", "unknown", "normal", "unmeasured"];

/** A key of which the stream has said nothing for this long is not believed any more. */
const SILENT_AFTER_S = 30;

/**
 * Staleness of a point is the server's judgement (it knows the scan period) and comes as quality;
 * `silent_s` is how long the stream has not mentioned this node.
 */
export function nodeSeverity(
  state: NodeState | undefined, silent_s: number, low: number, high: number,
): Severity {
  if (state === undefined) return "unmeasured";
  if (state.q !== "good" || silent_s > SILENT_AFTER_S || state.v.every((v) => v === null)) {
    return "unknown";
  }
  let worst: Severity = "normal";
  for (const v of state.v) {
    const s: Severity = v === null ? "unknown" : voltageSeverity(v, low, high);
    if (SEVERITIES.indexOf(s) < SEVERITIES.indexOf(worst)) worst = s;
  }
  return worst;
}

/** Import against its limit: amber from 95 % on. */
export function headSeverity(kw: number | null, limit: number): Severity {
  if (kw === null) return "unknown";
  if (kw > limit) return "alarm";
  return kw > 0.95 * limit ? "warn" : "normal";
}

export const PRIORITY_SHAPE: Record<Alarm["priority"], string> = { 1: "▲", 2: "◆", 3: "●" };
export const PRIORITY_WORD: Record<Alarm["priority"], string> = {
  1: "high", 2: "medium", 3: "low",
};

export function isOpen(plan: Pick<PlanRow, "state">): boolean {
  return plan.state === "proposed" || plan.state === "partial";
}

/** Plans that a person has approved and whose commands may be on their way. */
export function isRunning(plan: Pick<PlanRow, "state">): boolean {
  return plan.state === "approved" || plan.state === "active";
}

/** The newest plan that waits for people and was made after `plan`, of all that the stream lists. */
export function successor(plan: Pick<PlanRow, "id" | "created">, listed: readonly PlanRow[]): PlanRow | null {
  const later = listed.filter((p) => isOpen(p) && p.id !== plan.id && p.created > plan.created);
  return later.reduce<PlanRow | null>((newest, p) => (newest === null || p.created > newest.created ? p : newest), null);
}

export interface Gate {
  plan: PlanDetail;
  /** The same plan's row in the latest frame, if the frame still has it. */
  row: PlanRow | undefined;
  live: Liveness;
  frame: Pick<Frame, "stopped" | "field_connected" | "blocked"> | null;
  session: Session;
  left_s: number | null;
}

/**
 * Why this person may not approve this plan now; empty: they may. The server decides again by the
 * same rules (SG-13); this list only explains.
 */
export function approvalBlocks(g: Gate): string[] {
  const why: string[] = [];
  const plan = g.plan;
  const row = g.row ?? plan;
  if (g.live !== "live") why.push("The data on this screen is stale.");
  if (g.frame === null) return [...why, "No data from the server yet."];
  if (g.frame.stopped) why.push("Dispatch is stopped.");
  if (!g.frame.field_connected) why.push("The field link is down.");
  if (!isOpen(row)) why.push(`The plan is ${row.state}; it does not wait for an approval.`);
  if (isOpen(row) && g.left_s !== null && g.left_s <= 0) why.push("The plan has expired.");
  if (row.digest !== plan.digest) why.push("The plan has changed since this page was drawn.");
  if (plan.check === null) why.push("There is no AC check of this plan.");
  else if (!plan.check.ok) why.push("The AC check did not pass.");
  for (const reason of new Set([...g.frame.blocked, ...row.blocked])) why.push(reason);
  if (!g.session.may.includes("approve")) {
    why.push(`Your role (${g.session.role}) may not approve plans.`);
  }
  if (plan.proposed_by === g.session.user) why.push("You proposed this plan: another person decides.");
  if (plan.approved_by.some((a) => a.by === g.session.user)) {
    why.push("You have approved already: a second person is needed.");
  }
  if (
    plan.approved_by.length > 0 && plan.approvals_needed > 1 &&
    !g.session.may.includes("second_approval") && !g.session.may.includes("approve")
  ) {
    why.push("Your role may not give the second approval.");
  }
  return why;
}

/** Alarms in the order they want attention: unacknowledged first, then priority, then time. */
export function byUrgency(a: Alarm, b: Alarm): number {
  const rank = (x: Alarm): number =>
    ["unacked", "cleared_unacked", "acked", "normal"].indexOf(x.state);
  return rank(a) - rank(b) || a.priority - b.priority || (a.raised < b.raised ? 1 : -1);
}
