import assert from "node:assert/strict";
import { test } from "node:test";
import { runs } from "../src/runs";

test("a limit that binds in many intervals is one line with its span and its largest price", () => {
  const at = (h: number): string => `2026-07-14T2${h}:00:00Z`;
  const found = runs([
    { limit: "head", where: "150", unit: "kW", at: at(1), figure: 0.2 },
    { limit: "head", where: "150", unit: "kW", at: at(0), figure: 0.5 },
    { limit: "voltage", where: "66.B", unit: "pu", at: at(2), figure: -0.9 },
    { limit: "head", where: "150", unit: "kW", at: at(3), figure: 0.1 },
  ]);
  assert.deepEqual(found.map((r) => [r.limit, r.intervals, r.first, r.last, r.most]), [
    ["voltage", 1, at(2), at(2), -0.9], ["head", 3, at(0), at(3), 0.5],
  ]);
});
