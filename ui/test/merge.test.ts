import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../src/api";
import { ageOf, merge, type Live } from "../src/state/merge";
import { leftNow, liveness } from "../src/state/stale";

function frame(seq: number, at: string, more: Partial<Frame> = {}): Frame {
  return {
    seq, at, full: false, mode: "advisory", stopped: false, field_connected: true,
    head: { kw: 3000 + seq, limit_kw: 3200, quality: "good", age_s: 0.2 },
    nodes: {}, resources: {}, links: [], alarms: { active: 0, unacked: 0, returned: 0, top: [] }, plans: [],
    forecast: null, trend: null, cycle: null, effect: null, requests: [], blocked: [], tags: [], ...more,
  };
}

const FULL = frame(1, "2026-07-14T20:00:00Z", {
  full: true,
  nodes: { "1": { v: [1.01], q: "good", age_s: 0.5 }, "2": { v: [0.99], q: "good", age_s: 0.5 } },
  trend: { t: ["2026-07-14T19:58:00Z", "2026-07-14T19:59:00Z"], head_kw: [2900, null] },
});

test("nothing is drawn before the first full frame", () => {
  assert.equal(merge(null, frame(5, "2026-07-14T20:00:00Z"), 0), null);
});

test("a partial frame replaces only what it brings, and the rest goes on ageing", () => {
  const first = merge(null, FULL, 1000) as Live;
  const next = merge(first, frame(2, "2026-07-14T20:00:10Z", { nodes: { "2": { v: [0.98], q: "good", age_s: 0.1 } } }), 2000) as Live;
  assert.deepEqual(next.nodes["1"]?.v, [1.01]);
  assert.deepEqual(next.nodes["2"]?.v, [0.98]);
  assert.equal(ageOf(next.nodes["1"]!, 4000), 3.5);
  assert.equal(ageOf(next.nodes["2"]!, 4000), 2.1);
  assert.equal(next.head.kw, 3002);
});

test("a full frame forgets what it does not bring", () => {
  const first = merge(null, FULL, 0) as Live;
  const again = merge(first, { ...FULL, seq: 9, nodes: { "1": FULL.nodes["1"]! } }, 10) as Live;
  assert.equal("2" in again.nodes, false);
});

test("an old frame does not turn the picture back", () => {
  const first = merge(null, { ...FULL, seq: 7 }, 0) as Live;
  assert.equal(merge(first, frame(6, "2026-07-14T20:00:05Z"), 10), first);
});

test("a new start of the server counts from one again and is believed when it is full", () => {
  const first = merge(null, { ...FULL, seq: 700 }, 0) as Live;
  assert.equal(merge(first, FULL, 10)?.seq, 1);
});

test("the trend keeps gaps, grows by a point a frame, and forgets after two hours", () => {
  const first = merge(null, FULL, 0) as Live;
  assert.deepEqual(first.trend.kw, [2900, null, 3001]);
  const next = merge(first, frame(2, "2026-07-14T20:00:10Z"), 10) as Live;
  assert.equal(next.trend.kw.at(-1), 3002);
  const hole = merge(next, frame(3, "2026-07-14T20:30:00Z"), 20) as Live;
  assert.deepEqual(hole.trend.kw.slice(-2), [null, 3003]);
  const later = merge(hole, frame(4, "2026-07-14T22:10:00Z"), 30) as Live;
  assert.ok((later.trend.t[0] as number) >= Date.UTC(2026, 6, 14, 20, 10) / 1000);
});

test("an invalid head value is a gap in the trend", () => {
  const first = merge(null, FULL, 0) as Live;
  const bad = frame(2, "2026-07-14T20:00:10Z", { head: { kw: 1, limit_kw: 3200, quality: "invalid", age_s: 9 } });
  assert.equal(merge(first, bad, 10)?.trend.kw.at(-1), null);
});

test("live up to three seconds, stale after, waiting before the first frame", () => {
  assert.equal(liveness(null, 5000), "waiting");
  assert.equal(liveness(1000, 4000), "live");
  assert.equal(liveness(1000, 4001), "stale");
});

test("countdowns run on between frames and stop at zero", () => {
  assert.equal(leftNow(10, 1000, 3500), 7.5);
  assert.equal(leftNow(1, 1000, 9000), 0);
  assert.equal(leftNow(null, 0, 0), null);
});
