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
const WIRE: CommandState[] = ["approved", "ordered", "admitted", "selected"];

test("each rung needs its own proof", () => {
  assert.equal(marks(row("proposed")), "dwooo");
  assert.equal(marks(row("approved", "ordered")), "dwooo");
  assert.equal(marks(row(...WIRE)), "dwooo");
  assert.equal(marks(row(...WIRE, "operated")), "ddwoo");
  assert.equal(marks(row(...WIRE, "operated", "accepted")), "dddwo");
  assert.equal(marks(row(...WIRE, "operated", "accepted", "confirmed")), "ddddw");
  assert.equal(marks(row(...WIRE, "operated", "accepted", "confirmed", "effective")), "ddddd");
});

test("an approved command is intent, not fact", () => {
  const l = ladder(row("proposed", "approved"));
  assert.equal(l.reached, "intended");
  assert.equal(l.steps.filter((s) => s.status === "done").length, 1);
});

test("ordered, admitted and selected are told as the way to sent, not as sent", () => {
  const step = ladder(row(...WIRE)).steps[1];
  assert.equal(step?.status, "waiting");
  assert.equal(step?.state, "selected");
});

test("operated says that it left, never that the device said yes", () => {
  const l = ladder(row("approved", "ordered", "admitted", "operated"));
  assert.equal(l.reached, "sent");
  assert.equal(l.steps[2]?.status, "waiting");
});

test("a failure marks the rung that was not reached", () => {
  assert.equal(marks(row("approved", "ordered", "refused")), "dfooo");
  assert.equal(marks(row(...WIRE, "failed")), "dfooo");
  assert.equal(marks(row("approved", "ordered", "admitted", "operated", "failed")), "ddfoo");
  assert.equal(marks(row("approved", "expired")), "dfooo");
  assert.equal(ladder(row("approved", "ordered", "refused")).failed, true);
});

test("a lost answer and a missing proof are not known, which is not failed", () => {
  assert.equal(marks(row(...WIRE, "operated", "unconfirmed")), "dduoo");
  assert.equal(marks(row(...WIRE, "operated", "accepted", "unconfirmed")), "ddduo");
  assert.equal(marks(row(...WIRE, "operated", "accepted", "confirmed", "unconfirmed")), "ddddf");
});

test("a value that the device shows was taken, though its answer was lost", () => {
  assert.equal(marks(row(...WIRE, "operated", "confirmed")), "ddddw");
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
  assert.equal(marks(row("approved", "ordered", "admitted", "operated", "released")), "ddooo");
});

test("the tally counts proofs", () => {
  const t = tally([row("approved"), row(...WIRE, "operated", "accepted"), row(...WIRE, "operated"), row("approved", "ordered", "refused"),
    row(...WIRE, "operated", "unconfirmed")]);
  assert.deepEqual(t, { intended: 5, sent: 3, accepted: 1, confirmed: 0, effective: 0, failed: 1, unknown: 1 });
});
