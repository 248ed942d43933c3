// The feeder as a one-line diagram: one tab stop, arrow keys, zoom and pan; labels by exception.
import { Component, type ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Feeder, ResourceKind, TagKind } from "../api";
import type { Severity } from "../judge";
import { layOut, type Cell, type Layout } from "../layout";
import { announcement } from "../state/store";
import {
  Apparatus, Bus, Capacitor, GLYPH, ResourceGlyph, Substation, type GlyphState,
} from "./glyphs";
import { TagGlyph } from "./tagmark";
import {
  emptiestCorner, FIT, neighbour, panned, placeLabels, plane, zoomed,
  type Box, type Plane, type Size, type View, type Wanted,
} from "./plane";

export interface NodeLook {
  severity: Severity;
  /** Shown next to the bus when it is an exception. */
  value: string | null;
  /** Voltage change to draw as a bar, pu; null for none. */
  delta: number | null;
  /** Shown even when nothing is wrong. */
  mark: boolean;
  /** No voltage: drawn dashed. */
  dead: boolean;
}

export interface ResourceLook {
  state: GlyphState;
  soc: number | null;
  /** A word next to the symbol, such as "−32 kW". */
  note: string | null;
  /** The tag that hangs on it, always drawn beside it. */
  tag?: TagKind | null;
}

export interface OneLineProps {
  feeder: Feeder;
  look: (node: string) => NodeLook;
  /** Null: not drawn here. */
  resource: (id: string) => ResourceLook | null;
  /** The card in the empty corner: about one node, or about the whole feeder. */
  card: (node: string | null) => ComponentChildren;
  /** One sentence for screen readers. */
  say: (node: string) => string;
  name: string;
}

interface Static {
  layout: Layout;
  branch: Map<string, Feeder["branches"][number]>;
  phases: Map<string, string>;
  resources: Map<string, Feeder["resources"]>;
  capacitors: Set<string>;
  open: Feeder["branches"];
}

/** About the size that the style sheet gives the card. */
function cardSize(size: Size): Size {
  return size.width < 820 ? { width: 220, height: 110 } : { width: 300, height: 150 };
}

export function useStatic(feeder: Feeder, collapsed: ReadonlySet<string>): Static {
  return useMemo(() => {
    const resources = new Map<string, Feeder["resources"]>();
    for (const r of feeder.resources) resources.set(r.node, [...(resources.get(r.node) ?? []), r]);
    return {
      layout: layOut(
        feeder.nodes.map((n) => n.id),
        feeder.branches.map((b) => ({ id: b.id, from: b.from, to: b.to, open: b.kind === "open_switch" })),
        feeder.source, collapsed,
      ),
      branch: new Map(feeder.branches.map((b) => [b.id, b])),
      phases: new Map(feeder.nodes.map((n) => [n.id, n.phases])),
      resources,
      capacitors: new Set(feeder.capacitors.map((c) => c.node)),
      open: feeder.branches.filter((b) => b.kind === "open_switch"),
    };
  }, [feeder, collapsed]);
}

export function OneLine(props: OneLineProps) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const [view, setView] = useState<View>(FIT);
  const [selected, setSelected] = useState<string | null>(null);
  const [hovered, setHovered] = useState<string | null>(null);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const fixed = useStatic(props.feeder, collapsed);
  const { layout } = fixed;
  const p = useMemo(() => plane(layout, size, view), [layout, size, view]);
  const zoomBy = (factor: number, about = { x: size.width / 2, y: size.height / 2 }): void =>
    setView((v) => zoomed(v, factor, about, size));
  const toggle = (node: string): void => {
    const next = new Set(collapsed);
    if (!next.delete(node)) next.add(node);
    setCollapsed(next);
  };
  const choose = (node: string | null): void => {
    setSelected(node);
    if (node !== null) announcement.value = props.say(node);
  };
  const drag = useDrag((x, y) => setView((v) => panned(v, x, y, size)));

  const onKeyDown = (e: KeyboardEvent): void => {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    const at = layout.cells.get(selected ?? "") ?? layout.cells.get(props.feeder.source);
    if (e.key.startsWith("Arrow") && at) {
      const next = selected === null ? at.id : neighbour(layout, at, e.key);
      const cell = layout.cells.get(next ?? "");
      if (cell) {
        choose(cell.id);
        setView((v) => intoSight(v, plane(layout, size, v), cell, size));
      }
    } else if (e.key === "+" || e.key === "=") zoomBy(1.4);
    else if (e.key === "-") zoomBy(1 / 1.4);
    else if (e.key === "0") setView(FIT);
    else if (e.key === "Escape") setSelected(null);
    else if (e.key === "Enter" && at && (at.hidden.length || at.children.length)) toggle(at.id);
    else return;
    e.preventDefault();
  };
  const onWheel = (e: WheelEvent): void => {
    const rect = box.current?.getBoundingClientRect();
    if (!rect) return;
    e.preventDefault();
    zoomBy(e.deltaY < 0 ? 1.2 : 1 / 1.2, { x: e.clientX - rect.left, y: e.clientY - rect.top });
  };

  const shown = hovered ?? selected;
  const corner = useMemo(() => emptiestCorner(layout, p, size, cardSize(size)), [layout, p, size]);
  return (
    <div class="oneline" ref={box} onWheel={onWheel}>
      <svg
        width={size.width} height={size.height} tabindex={0} role="application"
        aria-label={`${props.name}. Arrow keys walk the feeder, plus and minus zoom, Enter folds a lateral.`}
        onKeyDown={onKeyDown} {...drag.handlers}
        onClick={(e) => {
          if (!drag.moved()) choose((e.target as Element).closest("[data-node]")?.getAttribute("data-node") ?? null);
        }}
        onDblClick={(e) => {
          const id = (e.target as Element).closest("[data-node]")?.getAttribute("data-node");
          if (id) toggle(id);
        }}
        onPointerOver={(e) => setHovered((e.target as Element).closest("[data-node]")?.getAttribute("data-node") ?? null)}
        onPointerLeave={() => setHovered(null)}
      >
        {size.width > 0 ? <Picture {...props} fixed={fixed} p={p} size={size} shown={shown} selected={selected} /> : null}
      </svg>
      <div class={`oneline-card ${corner}`}>{props.card(shown)}</div>
      <div class="zoom" role="group" aria-label="Zoom">
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(1.4)}>+</button>
        <button type="button" aria-label="Zoom out" disabled={view.zoom <= 1} onClick={() => zoomBy(1 / 1.4)}>−</button>
        <button type="button" aria-label="Show the whole feeder" disabled={view === FIT} onClick={() => setView(FIT)}>⤢</button>
        {view.zoom > 1 ? (
          <>
            <button type="button" aria-label="Pan left" onClick={() => setView(panned(view, 120, 0, size))}>←</button>
            <button type="button" aria-label="Pan right" onClick={() => setView(panned(view, -120, 0, size))}>→</button>
            <button type="button" aria-label="Pan up" onClick={() => setView(panned(view, 0, 90, size))}>↑</button>
            <button type="button" aria-label="Pan down" onClick={() => setView(panned(view, 0, -90, size))}>↓</button>
          </>
        ) : null}
        {collapsed.size > 0 ? (
          <button type="button" onClick={() => setCollapsed(new Set())}>Unfold all</button>
        ) : null}
      </div>
    </div>
  );
}

interface PictureProps extends OneLineProps {
  fixed: Static;
  p: Plane;
  size: Size;
  shown: string | null;
  selected: string | null;
}

function Picture(props: PictureProps) {
  const { fixed, p } = props;
  const cells = [...fixed.layout.cells.values()];
  const looks = new Map(cells.map((c) => [c.id, props.look(c.id)]));
  return (
    <>
      <g class="branches">{cells.map((c) => {
        const dead = looks.get(c.id)?.dead === true;
        return <Still key={c.id} where={p} sign={`${dead} ${c.connected}`} draw={() => <BranchLine cell={c} dead={dead} {...props} />} />;
      })}</g>
      <OpenSwitches {...props} />
      <g class="nodes">{cells.map((c) => {
        const its = looks.get(c.id) as NodeLook;
        const devices = drawn(props, c.id);
        return <Still key={c.id} where={p} sign={signOf(c, its, devices)} draw={() => <Node cell={c} its={its} devices={devices} {...props} />} />;
      })}</g>
      <Labels {...props} looks={looks} />
      <Pointer cell={fixed.layout.cells.get(props.selected ?? "")} p={p} />
    </>
  );
}

/** Drawn again only when its place or what it looks like has changed: of 2,000 buses that all have
 *  other values each second, hardly one looks different. */
class Still extends Component<{ where: Plane; sign: string; draw: () => ComponentChildren }> {
  override shouldComponentUpdate(next: { where: Plane; sign: string }) {
    return next.where !== this.props.where || next.sign !== this.props.sign;
  }

  override render() {
    return this.props.draw();
  }
}

function signOf(cell: Cell, look: NodeLook, devices: Drawn[]): string {
  const of = devices.map((d) => `${d.look.state} ${Math.round(d.look.soc ?? -1)} ${d.look.tag ?? ""}`);
  return `${look.severity} ${look.delta ?? ""} ${cell.hidden.length} ${of.join()}`;
}

function BranchLine(props: PictureProps & { cell: Cell; dead: boolean }) {
  const { cell, fixed, p } = props;
  const parent = fixed.layout.cells.get(cell.parent ?? "");
  const branch = fixed.branch.get(cell.branch ?? "");
  if (!parent || !branch) return null;
  const [x1, y1, x2, y2] = [p.x(parent.column), p.y(parent.row), p.x(cell.column), p.y(cell.row)];
  const dead = props.dead || !cell.connected;
  const middle = x1 === x2 ? { x: x1, y: y2 - (y2 - y1) * Math.min(0.5, (p.pitchY * 0.5) / Math.abs(y2 - y1)) }
    : { x: x2 - p.pitchX / 2, y: y2 };
  return (
    <g class={`branch phases-${branch.phases.length} ${dead ? "dead" : ""}`}>
      <path d={x1 === x2 ? `M${x1} ${y1}V${y2}` : `M${x1} ${y1}V${y2}H${x2}`} />
      <Apparatus kind={branch.kind} {...middle} />
    </g>
  );
}

function OpenSwitches(props: PictureProps) {
  const { fixed, p } = props;
  return (
    <g class="open-switches">
      {fixed.open.map((b) => {
        const ends = [fixed.layout.cells.get(b.from), fixed.layout.cells.get(b.to)] as const;
        const [a, z] = ends;
        const both = a && z && ends.some((e) => e?.id === props.shown);
        return (
          <g key={b.id}>
            {both ? <path class="tie" d={`M${p.x(a.column)} ${p.y(a.row)}L${p.x(z.column)} ${p.y(z.row)}`} /> : null}
            {ends.map((e, i) => e && (
              <g key={e.id} data-node={e.id} class="stub">
                <title>{`open switch ${b.id} to ${ends[1 - i]?.id ?? "elsewhere"}`}</title>
                <path d={`M${p.x(e.column)} ${p.y(e.row)}l13 -9`} />
                <Apparatus kind="open_switch" x={p.x(e.column) + 15} y={p.y(e.row) - 10} />
              </g>
            ))}
          </g>
        );
      })}
    </g>
  );
}

function Node(props: PictureProps & { cell: Cell; its: NodeLook; devices: Drawn[] }) {
  const { cell, fixed, p, its: look } = props;
  const [x, y] = [p.x(cell.column), p.y(cell.row)];
  return (
    <g data-node={cell.id} class={look.severity}>
      <rect class="hit" x={x - 12} y={y - 12} width="24" height="24" />
      {fixed.capacitors.has(cell.id) ? <Capacitor x={x - 8} y={y} /> : null}
      {look.delta === null ? null : <Delta x={x} y={y} delta={look.delta} limit={p.pitchY * 0.62} />}
      {cell.id === props.feeder.source ? <Substation x={x} y={y} />
        : <Bus x={x} y={y} phases={fixed.phases.get(cell.id)?.length ?? 1} severity={look.severity} />}
      <Resources {...props} />
      {cell.hidden.length > 0 ? <text class="folded" x={x + 9} y={y + 3.5}>+{cell.hidden.length}</text> : null}
    </g>
  );
}

/** Symbols get smaller where rows are narrow, so that they stay out of the next one. */
function glyphPitch(p: Plane): number {
  return p.pitchY < 19 ? GLYPH * 0.8 + 2 : GLYPH + 3;
}

interface Drawn { id: string; kind: ResourceKind; look: ResourceLook }

function drawn(props: PictureProps, node: string): Drawn[] {
  return (props.fixed.resources.get(node) ?? []).flatMap((r) => {
    const look = props.resource(r.id);
    return look === null ? [] : [{ id: r.id, kind: r.kind, look }];
  });
}

function Resources(props: PictureProps & { cell: Cell; devices: Drawn[] }) {
  const { cell, p } = props;
  const pitch = glyphPitch(p);
  return (
    <>
      {props.devices.map((r, i) => (
        <g key={r.id}>
          <ResourceGlyph kind={r.kind} x={p.x(cell.column) + 5 + i * pitch} y={p.y(cell.row) + 4}
            state={r.look.state} soc={r.look.soc} scale={p.pitchY < 19 ? 0.8 : 1} />
          {r.look.tag ? <TagGlyph kind={r.look.tag} x={p.x(cell.column) + 7 + i * pitch} y={p.y(cell.row) - 6} /> : null}
        </g>
      ))}
    </>
  );
}

/** Voltage change as a bar from the bus: up is up. 0.01 pu is 8 pixels. */
function Delta(props: { x: number; y: number; delta: number; limit: number }) {
  const length = Math.min(props.limit, Math.abs(props.delta) * 800);
  if (length < 0.8) return null;
  const up = props.delta > 0;
  return <rect class={`delta ${up ? "up" : "down"}`} x={props.x - 2} width="4" height={length}
    y={up ? props.y - length : props.y} />;
}

const RANK: Record<Severity, number> = { alarm: 1, warn: 2, unknown: 3, normal: 6, unmeasured: 7 };

function Labels(props: PictureProps & { looks: Map<string, NodeLook> }) {
  const { fixed, p, size } = props;
  const wanted: Wanted[] = [];
  const obstacles: Box[] = [];
  for (const cell of fixed.layout.cells.values()) {
    const look = props.looks.get(cell.id) as NodeLook;
    const at = { x: p.x(cell.column), y: p.y(cell.row) };
    if (at.x < -20 || at.x > size.width + 20 || at.y < -20 || at.y > size.height + 20) continue;
    const exception = look.severity === "alarm" || look.severity === "warn";
    const pointed = cell.id === props.shown;
    const resources = drawn(props, cell.id);
    const notes = resources.map((r) => r.look.note).filter(Boolean);
    const value = look.value !== null && (exception || look.mark || pointed) ? ` ${look.value}` : "";
    wanted.push({
      id: cell.id, text: `${cell.id}${value}`, at, bold: exception || pointed,
      rank: pointed ? 0 : look.mark ? Math.min(4, RANK[look.severity]) : RANK[look.severity],
    });
    obstacles.push({ x: at.x - 5, y: at.y - 4, w: 10, h: 8 });
    if (resources.length > 0) {
      const w = resources.length * glyphPitch(p);
      obstacles.push({ x: at.x + 5, y: at.y + 4, w, h: GLYPH + 1 });
      if (notes.length > 0) {
        wanted.push({ id: `${cell.id} note`, text: notes.join(" "), bold: false, rank: 5, at: { x: at.x + w, y: at.y } });
      }
    }
  }
  for (const end of fixed.open.flatMap((b) => [b.from, b.to])) {
    const cell = fixed.layout.cells.get(end);
    if (cell) obstacles.push({ x: p.x(cell.column) + 4, y: p.y(cell.row) - 15, w: 16, h: 10 });
  }
  // Placing is dear; where to is the same as long as the words and the room are.
  const words = wanted.map((w) => `${w.rank}${w.bold}${w.text}`).join("|");
  const placed = useMemo(() => placeLabels(wanted, obstacles, size), [words, obstacles.length, p, size]);
  return (
    <g class="labels" aria-hidden="true">
      {placed.map((l) => {
        const look = props.looks.get(l.id);
        const chip = look && (look.severity === "alarm" || look.severity === "warn");
        return (
          <g key={l.id} class={`label s-${look?.severity ?? "note"} ${l.rank === 0 ? "pointed" : ""}`}>
            {chip || l.rank === 0 ? <rect x={l.box.x} y={l.box.y} width={l.box.w} height={l.box.h} rx="2" /> : null}
            <text x={l.box.x + 3} y={l.box.y + 10}>{l.text}</text>
          </g>
        );
      })}
    </g>
  );
}

function Pointer(props: { cell: Cell | undefined; p: Plane }) {
  if (!props.cell) return null;
  return <circle class="pointer" cx={props.p.x(props.cell.column)} cy={props.p.y(props.cell.row)} r="11" />;
}

function intoSight(view: View, p: Plane, cell: Cell, size: Size): View {
  const [x, y] = [p.x(cell.column), p.y(cell.row)];
  const dx = x < 40 ? 80 - x : x > size.width - 40 ? size.width - 80 - x : 0;
  const dy = y < 30 ? 60 - y : y > size.height - 30 ? size.height - 60 - y : 0;
  return dx === 0 && dy === 0 ? view : panned(view, dx, dy, size);
}

function useSize(ref: { current: HTMLElement | null }): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const watch = new ResizeObserver(() => {
      setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return size;
}

function useDrag(move: (x: number, y: number) => void) {
  const state = useRef<{ x: number; y: number; far: number } | null>(null);
  const far = useRef(0);
  const latest = useRef(move);
  useEffect(() => {
    latest.current = move;
  });
  const handlers = {
    onPointerDown: (e: PointerEvent) => {
      if (e.button === 0) state.current = { x: e.clientX, y: e.clientY, far: 0 };
      far.current = 0;
    },
    onPointerMove: (e: PointerEvent) => {
      const s = state.current;
      if (!s || e.buttons === 0) return;
      latest.current(e.clientX - s.x, e.clientY - s.y);
      far.current += Math.abs(e.clientX - s.x) + Math.abs(e.clientY - s.y);
      state.current = { ...s, x: e.clientX, y: e.clientY };
    },
    onPointerUp: () => {
      state.current = null;
    },
  };
  return { handlers, moved: () => far.current > 5 };
}
