import assert from "node:assert/strict";
import { test } from "node:test";
import { layOut } from "../src/layout";
import { FIT, neighbour, placeLabels, plane, zoomed, type Wanted } from "../src/parts/plane";

const SIZE = { width: 800, height: 400 };
const L = layOut(["a", "b", "c", "d", "x"], [["a", "b"], ["b", "c"], ["c", "d"], ["b", "x"]].map(([from, to], i) =>
  ({ id: `l${i}`, from: from as string, to: to as string, open: false })), "a");

test("the picture fills its space", () => {
  const p = plane(L, SIZE, FIT);
  const xs = [...L.cells.values()].map((c) => p.x(c.column));
  assert.ok(Math.min(...xs) < 50 && Math.max(...xs) > 740 && Math.max(...xs) < 800);
});

test("zoom keeps the point under the cursor and never loses the picture", () => {
  const about = { x: 400, y: 200 };
  const before = plane(L, SIZE, FIT);
  const view = zoomed(FIT, 2, about, SIZE);
  const after = plane(L, SIZE, view);
  const column = (about.x - before.x(0)) / before.pitchX;
  assert.ok(Math.abs(after.x(column) - about.x) < 1);
  assert.deepEqual(zoomed(view, 0.01, about, SIZE).zoom, 1);
});

test("labels never overlap; the important one gets the room", () => {
  const wanted: Wanted[] = [
    { id: "low", text: "66 1.001", rank: 6, at: { x: 100, y: 100 }, bold: false },
    { id: "high", text: "67 0.931", rank: 1, at: { x: 104, y: 100 }, bold: true },
    { id: "more", text: "68 0.999", rank: 6, at: { x: 102, y: 101 }, bold: false },
    { id: "most", text: "69 0.999", rank: 6, at: { x: 103, y: 101 }, bold: false },
    { id: "none", text: "70 0.999", rank: 6, at: { x: 101, y: 101 }, bold: false },
  ];
  const placed = placeLabels(wanted, [], SIZE);
  assert.equal(placed[0]?.id, "high");
  assert.ok(placed.length < wanted.length);
  for (const a of placed) {
    for (const b of placed) {
      if (a === b) continue;
      assert.ok(a.box.x + a.box.w <= b.box.x || b.box.x + b.box.w <= a.box.x || a.box.y + a.box.h <= b.box.y || b.box.y + b.box.h <= a.box.y);
    }
  }
});

test("arrow keys walk the tree", () => {
  const at = (id: string) => L.cells.get(id)!;
  assert.equal(neighbour(L, at("a"), "ArrowRight"), "b");
  assert.equal(neighbour(L, at("b"), "ArrowRight"), "c");
  assert.equal(neighbour(L, at("c"), "ArrowLeft"), "b");
  assert.equal(neighbour(L, at("a"), "ArrowLeft"), null);
  assert.equal(neighbour(L, at("b"), at("x").row > 0 ? "ArrowDown" : "ArrowUp"), "x");
});
