// From cells to pixels: stretch the layout over the space there is, zoom, and find room for text.
import type { Cell, Layout } from "../layout";

export interface Size {
  width: number;
  height: number;
}

export interface View {
  /** 1 fills the space; larger zooms in. */
  zoom: number;
  /** Pan in pixels. */
  dx: number;
  dy: number;
}

export const FIT: View = { zoom: 1, dx: 0, dy: 0 };
export const ZOOM_MAX = 6;
const MARGIN = { left: 30, right: 46, top: 26, bottom: 24 };

export interface Plane {
  x(column: number): number;
  y(row: number): number;
  pitchX: number;
  pitchY: number;
}

export function plane(layout: Layout, size: Size, view: View): Plane {
  const columns = Math.max(1, layout.columns - 1);
  const rows = Math.max(1, layout.rowMax - layout.rowMin);
  const pitchX = Math.max(4, (size.width - MARGIN.left - MARGIN.right) / columns) * view.zoom;
  const pitchY = Math.max(4, (size.height - MARGIN.top - MARGIN.bottom) / rows) * view.zoom;
  return {
    pitchX, pitchY,
    x: (column) => MARGIN.left + column * pitchX + view.dx,
    y: (row) => MARGIN.top + (row - layout.rowMin) * pitchY + view.dy,
  };
}

/** Zoom about a point of the picture, and keep at least a corner of it in sight. */
export function zoomed(view: View, factor: number, about: { x: number; y: number }, size: Size): View {
  const zoom = Math.min(ZOOM_MAX, Math.max(1, view.zoom * factor));
  const k = zoom / view.zoom;
  return panned({
    zoom,
    dx: about.x - MARGIN.left - (about.x - MARGIN.left - view.dx) * k,
    dy: about.y - MARGIN.top - (about.y - MARGIN.top - view.dy) * k,
  }, 0, 0, size);
}

export function panned(view: View, x: number, y: number, size: Size): View {
  const range = (v: number, extent: number): number =>
    Math.min(0, Math.max(-(view.zoom - 1) * extent, v));
  return {
    zoom: view.zoom, dx: range(view.dx + x, size.width), dy: range(view.dy + y, size.height),
  };
}

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Wanted {
  id: string;
  text: string;
  /** Smaller is placed first. */
  rank: number;
  at: { x: number; y: number };
  bold: boolean;
}

export interface Placed extends Wanted {
  box: Box;
}

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

const LABEL_H = 13;

/** Estimated; a monospaced guess is enough to keep labels apart. */
export function textWidth(text: string, bold: boolean): number {
  return text.length * (bold ? 6.3 : 5.9) + 6;
}

/** Place what fits, the important first. What finds no room is left to hover, focus and zoom. */
export function placeLabels(wanted: Wanted[], obstacles: Box[], size: Size): Placed[] {
  const taken = [...obstacles];
  const placed: Placed[] = [];
  for (const w of [...wanted].sort((a, b) => a.rank - b.rank)) {
    const width = textWidth(w.text, w.bold);
    const spots = [
      { x: w.at.x + 4, y: w.at.y - 5 - LABEL_H },
      { x: w.at.x + 4, y: w.at.y + 5 },
      { x: w.at.x - 4 - width, y: w.at.y - 5 - LABEL_H },
      { x: w.at.x - 4 - width, y: w.at.y + 5 },
    ];
    for (const spot of spots) {
      const box = { ...spot, w: width, h: LABEL_H };
      if (box.x < 0 || box.x + box.w > size.width) continue;
      // Rank 0 is what the operator points at: it is shown even over others.
      if (w.rank > 0 && taken.some((t) => overlap(t, box))) continue;
      placed.push({ ...w, box });
      taken.push(box);
      break;
    }
  }
  return placed;
}

/** The corner of the picture with the fewest buses under a card of this size. */
export function emptiestCorner(layout: Layout, p: Plane, size: Size, card: Size): string {
  const corners = [
    { name: "bottom right", x: size.width - card.width, y: size.height - card.height },
    { name: "bottom left", x: 0, y: size.height - card.height },
    { name: "top left", x: 0, y: 0 },
    { name: "top right", x: size.width - card.width, y: 0 },
  ];
  let best = corners[0] as (typeof corners)[number];
  let least = Infinity;
  for (const c of corners) {
    let under = 0;
    for (const cell of layout.cells.values()) {
      const [x, y] = [p.x(cell.column), p.y(cell.row)];
      const beside = x > c.x - 10 && x < c.x + card.width + 10;
      if (beside && y > c.y - 10 && y < c.y + card.height + 10) under += 1;
    }
    if (under < least) [best, least] = [c, under];
  }
  return best.name.replace(" ", "-");
}

/** Where an arrow key leads: along the line, or to the nearest bus above or below. */
export function neighbour(layout: Layout, from: Cell, key: string): string | null {
  const children = from.children.map((c) => layout.cells.get(c)).filter((c) => c !== undefined);
  if (key === "ArrowLeft") return from.parent;
  if (key === "ArrowRight") {
    const along = children.find((c) => c.row === from.row) ?? children[0];
    return along?.id ?? null;
  }
  const sign = key === "ArrowDown" ? 1 : -1;
  let best: { id: string; far: number } | null = null;
  for (const c of layout.cells.values()) {
    const dy = (c.row - from.row) * sign;
    if (dy <= 0) continue;
    const far = dy + 2.5 * Math.abs(c.column - from.column);
    if (best === null || far < best.far) best = { id: c.id, far };
  }
  return best?.id ?? null;
}
