import assert from "node:assert/strict";
import { test } from "node:test";
import type { Alarm, PlanDetail, Session } from "../src/api";
import { approvalBlocks, byUrgency, headSeverity, nodeSeverity, successor, voltageSeverity, worstVoltage, type Gate } from "../src/judge";

const CASE = {
  converged: true, worst_voltage_pu: 0.96, worst_voltage_at: "1.A", highest_voltage_pu: 1.04,
  highest_voltage_at: "2.B", worst_loading_pct: 90, worst_loading_at: "l1", violations: 0, losses_kw: 9,
};
const PLAN: PlanDetail = {
  id: "P-1", version: 1, state: "proposed", digest: "d1", net_kw: 600, customers: 90, cost: 10,
  controls: { load_group: 1, battery: 0, generator: 0, pv: 0 }, approvals: 0, approvals_needed: 2, expires_in_s: 100, blocked: [],
  requests: [], created: "2026-07-14T20:00:00Z", reason: "", proposed_by: "optimizer", cautions: [], on_failure: "hold", snapshot_revision: 1,
  approved_by: [], left_to_people: [], horizon: { start: "2026-07-14T20:00:00Z", step_s: 900, count: 1 }, head_before_kw: [1],
  head_after_kw: [1], limit_kw: 1, held: null, rows: [], excluded: [], bindings: [], shortfalls: [], findings: [], why: [],
  check: { engine: "z", ok: true, reasons: [], before: CASE, after: CASE, linear_error_pu: 0 },
  voltages: [], solver: "", solve_s: 0, rounds: 1, status: "optimal",
};
const ME: Session = { user: "op1", name: "op1", role: "OPERATOR", areas: "*", factor: "password", lacks_factor: false, csrf: "", may: ["view", "approve", "stop"] };
const gate = (more: Partial<Gate> = {}): Gate => ({
  plan: PLAN, row: PLAN, live: "live", session: ME, left_s: 90,
  frame: { stopped: false, field_connected: true, blocked: [] }, ...more,
});

test("nothing in the way: no reasons", () => {
  assert.deepEqual(approvalBlocks(gate()), []);
});

test("everything that must block an approval does", () => {
  const frame = { stopped: false, field_connected: true, blocked: [] };
  const cases: [Partial<Gate>, RegExp][] = [
    [{ live: "stale" }, /stale/],
    [{ live: "waiting" }, /stale/],
    [{ frame: null }, /No data/],
    [{ frame: { ...frame, stopped: true } }, /stopped/],
    [{ frame: { ...frame, field_connected: false } }, /field link/],
    [{ frame: { ...frame, blocked: ["BESS-01 is stale"] } }, /BESS-01/],
    [{ row: { ...PLAN, blocked: ["snapshot moved"] } }, /snapshot moved/],
    [{ row: { ...PLAN, state: "void" } }, /void/],
    [{ row: { ...PLAN, digest: "d2" } }, /changed/],
    [{ left_s: 0 }, /expired/],
    [{ plan: { ...PLAN, check: null } }, /no AC check/],
    [{ plan: { ...PLAN, check: { ...PLAN.check!, ok: false } } }, /did not pass/],
    [{ session: { ...ME, may: ["view"], role: "VIEWER" } }, /VIEWER/],
    [{ session: { ...ME, user: "optimizer" } }, /proposed/],
    [{ plan: { ...PLAN, approved_by: [{ by: "op1", at: "", standing: "" }] } }, /second person/],
  ];
  for (const [more, why] of cases) {
    const said = approvalBlocks(gate(more));
    assert.ok(said.some((s) => why.test(s)), `${String(why)} in ${JSON.stringify(said)}`);
  }
});

test("what waits in place of a plan: the newest that was made after it, never itself or an older one", () => {
  const at = (id: string, minute: number, state: PlanDetail["state"] = "proposed"): PlanDetail =>
    ({ ...PLAN, id, state, created: `2026-07-14T20:${String(minute).padStart(2, "0")}:00Z` });
  const old = at("P-1", 5, "expired");
  assert.equal(successor(old, []), null);
  assert.equal(successor(old, [old, at("P-0", 1), at("P-2", 9, "active")]), null);
  assert.equal(successor(old, [at("P-3", 7), at("P-4", 9, "partial"), at("P-2", 6)])?.id, "P-4");
});

test("voltage: outside, close, inside", () => {
  assert.equal(voltageSeverity(0.949, 0.95, 1.05), "alarm");
  assert.equal(voltageSeverity(1.0501, 0.95, 1.05), "alarm");
  assert.equal(voltageSeverity(0.952, 0.95, 1.05), "warn");
  assert.equal(voltageSeverity(1.0, 0.95, 1.05), "normal");
  assert.equal(worstVoltage([1.0, 1.04, 0.98], 0.95, 1.05), 1.04);
  assert.equal(worstVoltage([null], 0.95, 1.05), null);
});

test("a node: not measured, not known, or judged by its worst phase", () => {
  const node = (v: (number | null)[], q: "good" | "invalid" = "good") => ({ v, q, age_s: 0 });
  assert.equal(nodeSeverity(undefined, 0, 0.95, 1.05), "unmeasured");
  assert.equal(nodeSeverity(node([1, 1], "invalid"), 0, 0.95, 1.05), "unknown");
  assert.equal(nodeSeverity(node([1, 1]), 31, 0.95, 1.05), "unknown");
  assert.equal(nodeSeverity({ v: [1], q: "good", age_s: 300 }, 1, 0.95, 1.05), "normal");
  assert.equal(nodeSeverity(node([null, null]), 0, 0.95, 1.05), "unknown");
  assert.equal(nodeSeverity(node([1, null]), 0, 0.95, 1.05), "unknown");
  assert.equal(nodeSeverity(node([0.94, null]), 0, 0.95, 1.05), "alarm");
  assert.equal(nodeSeverity(node([1, 1.0]), 0, 0.95, 1.05), "normal");
});

test("the head against its limit", () => {
  assert.equal(headSeverity(null, 3200), "unknown");
  assert.equal(headSeverity(3000, 3200), "normal");
  assert.equal(headSeverity(3100, 3200), "warn");
  assert.equal(headSeverity(3201, 3200), "alarm");
});

test("alarms: what nobody has seen first, then by priority, then the newest", () => {
  const alarm = (key: string, priority: 1 | 2 | 3, state: Alarm["state"], raised = "a"): Alarm =>
    ({ key, priority, text: "", response: "", raised, cleared: null, acked_by: null, source: "", state });
  const sorted = [alarm("a", 1, "acked"), alarm("b", 3, "unacked"), alarm("c", 2, "unacked", "a"), alarm("d", 2, "unacked", "b")]
    .sort(byUrgency).map((a) => a.key);
  assert.deepEqual(sorted, ["d", "c", "b", "a"]);
});
