import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandRow, CommandState } from "../src/api";
import { ladder, tally } from "../src/ladder";

function row(...states: CommandState[]): CommandRow {
  return {
    id: "c", plan: "p", resource: "r", name: "r", point: "r.sp", value: 10, unit: "kW", effect_kw: 10,
    state: states.at(-1) as CommandState, status: "", detail: "", protocol: "dnp3", measured_kw: null,
    history: states.map((state, i) => ({ state, at: `2026-07-14T20:00:0${i}Z`, status: "", detail: "" })),
  };
}

const marks = (r: CommandRow): string => ladder(r).steps.map((s) => s.status[0]).join("");

test("each rung needs its own proof", () => {
  assert.equal(marks(row("proposed")), "dwooo");
  assert.equal(marks(row("proposed", "approved", "ordered")), "ddwoo");
  assert.equal(marks(row("proposed", "approved", "ordered", "admitted", "selected")), "ddwoo");
  assert.equal(marks(row("proposed", "approved", "ordered", "admitted", "selected", "operated")), "dddwo");
  assert.equal(marks(row("proposed", "approved", "ordered", "admitted", "operated", "confirmed")), "ddddw");
  assert.equal(marks(row("proposed", "approved", "ordered", "admitted", "operated", "confirmed", "effective")), "ddddd");
});

test("an approved command is intent, not fact", () => {
  const l = ladder(row("proposed", "approved"));
  assert.equal(l.reached, "intended");
  assert.equal(l.steps.filter((s) => s.status === "done").length, 1);
});

test("being selected is told as the way to accepted, not as accepted", () => {
  const step = ladder(row("approved", "ordered", "admitted", "selected")).steps[2];
  assert.equal(step?.status, "waiting");
  assert.equal(step?.state, "selected");
});

test("a failure marks the rung that was not reached", () => {
  assert.equal(marks(row("approved", "ordered", "refused")), "ddfoo");
  assert.equal(marks(row("approved", "ordered", "admitted", "selected", "failed")), "ddfoo");
  assert.equal(marks(row("approved", "ordered", "admitted", "operated", "unconfirmed")), "dddfo");
  assert.equal(marks(row("approved", "expired")), "dfooo");
  assert.equal(ladder(row("approved", "ordered", "refused")).failed, true);
});

test("a late confirmation heals an unconfirmed command", () => {
  const l = ladder(row("approved", "ordered", "admitted", "operated", "unconfirmed", "confirmed"));
  assert.equal(l.failed, false);
  assert.equal(l.steps[3]?.status, "done");
});

test("released after effect keeps what was proven; released early proves no more", () => {
  const l = ladder(row("approved", "ordered", "admitted", "operated", "confirmed", "effective", "released"));
  assert.equal(l.released, true);
  assert.equal(l.reached, "effective");
  assert.equal(marks(row("approved", "ordered", "admitted", "operated", "released")), "dddoo");
});

test("the tally counts proofs", () => {
  const t = tally([row("approved"), row("approved", "ordered", "admitted", "operated"), row("approved", "ordered", "refused")]);
  assert.deepEqual(t, { intended: 3, sent: 2, accepted: 1, confirmed: 0, effective: 0, failed: 1 });
});
