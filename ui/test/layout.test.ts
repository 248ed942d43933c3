import assert from "node:assert/strict";
import { test } from "node:test";
import { crossings, layOut, segments, type TreeBranch } from "../src/layout";

function tree(pairs: [string, string][]): { nodes: string[]; branches: TreeBranch[] } {
  const nodes = [...new Set(pairs.flat())];
  return { nodes, branches: pairs.map(([from, to], i) => ({ id: `b${i}`, from, to, open: false })) };
}

/** A tree of n buses in which bus i hangs from a pseudo-random earlier one. */
function random(n: number, seed: number, reach: number): [string, string][] {
  let state = seed;
  const next = (): number => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
  return Array.from({ length: n - 1 }, (_, i) => {
    const parent = Math.max(0, i - Math.floor(next() * reach));
    return [`n${parent}`, `n${i + 1}`] as [string, string];
  });
}

test("a plain line is one row", () => {
  const { nodes, branches } = tree([["a", "b"], ["b", "c"], ["c", "d"]]);
  const l = layOut(nodes, branches, "a");
  assert.deepEqual([l.columns, l.rowMin, l.rowMax], [4, 0, 0]);
  assert.equal(crossings(l), 0);
});

test("laterals of neighbouring buses share a row when they are short", () => {
  const { nodes, branches } = tree([["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"], ["a", "a1"], ["b", "b1"], ["c", "c1"]]);
  const l = layOut(nodes, branches, "a");
  assert.equal(crossings(l), 0);
  assert.ok(l.rowMax - l.rowMin <= 2);
});

test("no crossing in trees of many forms", () => {
  for (const [n, reach] of [[33, 4], [123, 6], [123, 40], [500, 12], [2000, 9]] as const) {
    for (const seed of [1, 7, 99]) {
      const { nodes, branches } = tree(random(n, seed, reach));
      const l = layOut(nodes, branches, "n0");
      assert.equal(l.cells.size, n);
      assert.equal(crossings(l), 0, `${n} buses, reach ${reach}, seed ${seed}`);
    }
  }
});

test("a star, where all laterals hang from one bus", () => {
  const { nodes, branches } = tree(Array.from({ length: 9 }, (_, i) => ["s", `x${i}`] as [string, string]));
  assert.equal(crossings(layOut(nodes, branches, "s")), 0);
});

test("the counter sees a crossing when there is one", () => {
  const { nodes, branches } = tree([["a", "b"], ["b", "c"], ["b", "x"], ["x", "y"]]);
  const l = layOut(nodes, branches, "a");
  const x = l.cells.get("x");
  const c = l.cells.get("c");
  assert.ok(x && c);
  c.row = x.row;
  c.column = x.column;
  assert.ok(crossings(l) > 0);
});

test("branches point either way, and a loop is cut once", () => {
  const { nodes, branches } = tree([["b", "a"], ["c", "b"], ["c", "d"], ["d", "a"]]);
  const l = layOut(nodes, branches, "a");
  assert.equal(l.cells.size, 4);
  assert.equal([...l.cells.values()].filter((x) => x.parent === null).length, 1);
});

test("behind an open switch there is no connection", () => {
  const { nodes, branches } = tree([["a", "b"], ["b", "c"], ["c", "d"]]);
  (branches[1] as TreeBranch).open = true;
  const l = layOut(nodes, branches, "a");
  assert.equal(l.cells.get("b")?.connected, true);
  assert.equal(l.cells.get("c")?.connected, false);
  assert.equal(l.cells.get("d")?.connected, false);
  assert.equal(crossings(l), 0);
});

test("a folded lateral hides what is behind it and says how many", () => {
  const { nodes, branches } = tree([["a", "b"], ["b", "c"], ["b", "x"], ["x", "y"], ["y", "z"], ["c", "d"], ["d", "e"], ["e", "f"]]);
  const l = layOut(nodes, branches, "a", new Set(["x"]));
  assert.deepEqual([...(l.cells.get("x")?.hidden ?? [])].sort(), ["y", "z"]);
  assert.equal(l.cells.has("y"), false);
  assert.equal(segments(l).some((s) => s.id === "y"), false);
});
