// The one-line's geometry, in cells: a radial tree drawn with right-angled lines and no crossings.
//
// The trunk (longest path from the source) runs along row 0. Laterals hang below it or stand above
// it; each is itself a trunk with its own laterals on the outer side. On one side laterals are
// placed from the far end to the near end, each in the nearest row that the ones already placed
// leave free in its columns (a skyline). A near lateral therefore passes around the far ones and
// its riser, in the column of its own bus, can not meet any of them: they start further out.

export interface TreeBranch {
  id: string;
  from: string;
  to: string;
  open: boolean;
}

export interface Cell {
  id: string;
  parent: string | null;
  /** Branch from the parent; null at a root. */
  branch: string | null;
  column: number;
  row: number;
  children: string[];
  /** Nodes hidden behind this one because its subtree is collapsed. */
  hidden: string[];
  /** Whether a path of closed branches leads to the source. */
  connected: boolean;
}

export interface Layout {
  cells: Map<string, Cell>;
  /** Visiting order: trunk first, outward. */
  order: string[];
  columns: number;
  rowMin: number;
  rowMax: number;
}

interface Tree {
  children: Map<string, string[]>;
  parent: Map<string, string>;
  branch: Map<string, string>;
  depth: Map<string, number>;
  roots: string[];
}

function spanningTree(nodes: string[], branches: TreeBranch[], source: string): Tree {
  const near = new Map<string, { other: string; branch: string }[]>();
  for (const id of nodes) near.set(id, []);
  for (const b of branches) {
    if (b.open) continue;
    near.get(b.from)?.push({ other: b.to, branch: b.id });
    near.get(b.to)?.push({ other: b.from, branch: b.id });
  }
  const tree: Tree = {
    children: new Map(), parent: new Map(), branch: new Map(), depth: new Map(), roots: [],
  };
  const seen = new Set<string>();
  for (const root of [source, ...nodes]) {
    if (seen.has(root) || !near.has(root)) continue;
    tree.roots.push(root);
    seen.add(root);
    const found = [root];
    for (let i = 0; i < found.length; i += 1) {
      const at = found[i] as string;
      const children: string[] = [];
      for (const { other, branch } of near.get(at) ?? []) {
        if (seen.has(other) || !near.has(other)) continue;
        seen.add(other);
        tree.parent.set(other, at);
        tree.branch.set(other, branch);
        children.push(other);
        found.push(other);
      }
      tree.children.set(at, children);
    }
    for (const at of found.reverse()) {
      const below = (tree.children.get(at) ?? []).map((c) => tree.depth.get(c) ?? 0);
      tree.depth.set(at, below.length ? Math.max(...below) + 1 : 0);
    }
  }
  return tree;
}

/** A subtree with its own line in row 0 and everything else in rows below it (>= 0). */
interface Block {
  /** Columns and rows relative to the block's first bus. */
  places: { id: string; column: number; row: number }[];
  /** Lowest row that is taken, by column. */
  bottom: number[];
}

interface Hanging {
  column: number;
  block: Block;
  /** 0: the riser runs straight into the first bus. 1: it turns first, as others hang below it. */
  offset: 0 | 1;
}

/** The longest path down from `start`, and what branches off it. */
function trunkOf(tree: Tree, start: string, collapsed: ReadonlySet<string>) {
  const path: string[] = [];
  const sides: { column: number; root: string }[] = [];
  let at: string | undefined = start;
  while (at !== undefined) {
    const here: string = at;
    path.push(here);
    at = undefined;
    if (collapsed.has(here)) break;
    const children = [...(tree.children.get(here) ?? [])];
    children.sort((a, b) => (tree.depth.get(b) ?? 0) - (tree.depth.get(a) ?? 0));
    at = children.shift();
    for (const root of children) sides.push({ column: path.length - 1, root });
  }
  return { path, sides };
}

/** First free row under `bottom` for `h`. */
function freeRow(bottom: readonly number[], h: Hanging): number {
  let row = (bottom[h.column] ?? 0) + 1;
  for (let c = 0; c < h.block.bottom.length; c += 1) {
    row = Math.max(row, (bottom[h.column + h.offset + c] ?? -1) + 1);
  }
  return row;
}

function hang(bottom: number[], h: Hanging, row: number): void {
  bottom[h.column] = Math.max(bottom[h.column] ?? 0, row);
  for (let c = 0; c < h.block.bottom.length; c += 1) {
    bottom[h.column + h.offset + c] = row + (h.block.bottom[c] ?? 0);
  }
}

/** Laterals by bus, far buses first; at one bus the shorter first, so that it stays closer. */
function farToNear(
  tree: Tree, sides: { column: number; root: string }[], collapsed: ReadonlySet<string>,
): Hanging[][] {
  const groups = new Map<number, Hanging[]>();
  for (const { column, root } of sides) {
    const group = groups.get(column) ?? [];
    group.push({ column, block: blockOf(tree, root, collapsed), offset: 0 });
    groups.set(column, group);
  }
  const size = (h: Hanging): number => h.block.bottom.length;
  return [...groups.entries()]
    .sort(([a], [b]) => b - a)
    .map(([, group]) => group.sort((a, b) => size(a) - size(b)));
}

/** Only the last of a bus's laterals on one side may stand straight under it. */
function turnAllButLast(group: Hanging[]): void {
  group.forEach((h, i) => {
    h.offset = i < group.length - 1 ? 1 : 0;
  });
}

function blockOf(tree: Tree, start: string, collapsed: ReadonlySet<string>): Block {
  const { path, sides } = trunkOf(tree, start, collapsed);
  const places = path.map((id, column) => ({ id, column, row: 0 }));
  const bottom = path.map(() => 0);
  for (const group of farToNear(tree, sides, collapsed)) {
    turnAllButLast(group);
    for (const h of group) {
      const row = freeRow(bottom, h);
      hang(bottom, h, row);
      for (const p of h.block.places) {
        places.push({ id: p.id, column: h.column + h.offset + p.column, row: row + p.row });
      }
    }
  }
  return { places, bottom };
}

/** Lay out a feeder. Nodes that no closed path joins to the source come in rows of their own. */
export function layOut(
  nodes: string[],
  branches: TreeBranch[],
  source: string,
  collapsed: ReadonlySet<string> = new Set(),
): Layout {
  const tree = spanningTree(nodes, branches, source);
  const cells = new Map<string, Cell>();
  const order: string[] = [];
  let rowMin = 0;
  let rowMax = 0;
  let columns = 0;
  const place = (id: string, column: number, row: number, connected: boolean): void => {
    const children = collapsed.has(id) ? [] : (tree.children.get(id) ?? []);
    cells.set(id, {
      id, column, row, connected, children,
      parent: tree.parent.get(id) ?? null,
      branch: tree.branch.get(id) ?? null,
      hidden: collapsed.has(id) ? below(tree, id) : [],
    });
    order.push(id);
    rowMin = Math.min(rowMin, row);
    rowMax = Math.max(rowMax, row);
    columns = Math.max(columns, column + 1);
  };
  const [main, ...islands] = tree.roots;
  if (main === undefined) return { cells, order, columns: 0, rowMin: 0, rowMax: 0 };
  const connected = main === source;
  const { path, sides } = trunkOf(tree, main, collapsed);
  path.forEach((id, column) => place(id, column, 0, connected));
  const skylines: [number[], number[]] = [path.map(() => 0), path.map(() => 0)];
  for (const group of farToNear(tree, sides, collapsed)) {
    // Each on the side where it ends nearer to the trunk; below when equal.
    const chosen: [Hanging[], Hanging[]] = [[], []];
    for (const h of group) {
      const [down, up] = skylines.map((s, i) => freeRow(s, h) + (chosen[i]?.length ?? 0));
      chosen[(up ?? 0) < (down ?? 0) ? 1 : 0].push(h);
    }
    chosen.forEach((some, side) => {
      turnAllButLast(some);
      const sign = side === 1 ? -1 : 1;
      const skyline = skylines[side] as number[];
      for (const h of some) {
        const row = freeRow(skyline, h);
        hang(skyline, h, row);
        for (const p of h.block.places) {
          place(p.id, h.column + h.offset + p.column, sign * (row + p.row), connected);
        }
      }
    });
  }
  for (const root of islands) {
    const block = blockOf(tree, root, collapsed);
    const first = rowMax + 1;
    for (const p of block.places) place(p.id, p.column, first + p.row, false);
  }
  return { cells, order, columns, rowMin, rowMax };
}

function below(tree: Tree, id: string): string[] {
  const found = [...(tree.children.get(id) ?? [])];
  for (let i = 0; i < found.length; i += 1) {
    found.push(...(tree.children.get(found[i] as string) ?? []));
  }
  return found;
}

export interface Segment {
  id: string;
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** The straight pieces of a branch drawn from parent to child: a riser, then a run. */
export function segments(layout: Layout): Segment[] {
  const found: Segment[] = [];
  for (const cell of layout.cells.values()) {
    const parent = cell.parent === null ? undefined : layout.cells.get(cell.parent);
    if (parent === undefined) continue;
    if (parent.row !== cell.row) {
      found.push({ id: cell.id, x1: parent.column, y1: parent.row, x2: parent.column, y2: cell.row });
    }
    if (parent.column !== cell.column) {
      found.push({ id: cell.id, x1: parent.column, y1: cell.row, x2: cell.column, y2: cell.row });
    }
  }
  return found;
}

/** How often a line passes through a bus or a line that is not its own. Zero is what we promise. */
export function crossings(layout: Layout): number {
  const all = segments(layout);
  const cells = [...layout.cells.values()];
  const risers = all.filter((s) => s.x1 === s.x2);
  const runs = all.filter((s) => s.x1 !== s.x2);
  const inside = (v: number, a: number, b: number): boolean =>
    v > Math.min(a, b) && v < Math.max(a, b);
  let count = 0;
  for (const r of risers) {
    for (const c of cells) {
      if (c.column !== r.x1) continue;
      if (inside(c.row, r.y1, r.y2) || (c.row === r.y2 && c.id !== r.id)) count += 1;
    }
    for (const run of runs) {
      if (inside(r.x1, run.x1, run.x2) && inside(run.y1, r.y1, r.y2)) count += 1;
    }
  }
  for (const run of runs) {
    count += cells.filter((c) => c.row === run.y1 && inside(c.column, run.x1, run.x2)).length;
  }
  const taken = new Set(cells.map((c) => `${c.column},${c.row}`));
  return count + cells.length - taken.size;
}
