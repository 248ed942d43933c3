// The stream sends a full frame on connect and may send only what changed afterwards.
import type { Frame, NodeState, ResourceState } from "../api";

/** `rx`: browser milliseconds at which this value arrived; its age goes on from there. */
export type Received<T> = T & { rx: number };

export interface Live extends Omit<Frame, "nodes" | "resources" | "trend"> {
  rx: number;
  nodes: Record<string, Received<NodeState>>;
  resources: Record<string, Received<ResourceState>>;
  trend: { t: number[]; kw: (number | null)[] };
}

const TREND_WINDOW_S = 2 * 3600;
const TREND_POINTS_MAX = 8000;
/** Longer than the coarsest history that the server keeps (15 min means). */
const TREND_GAP_S = 1200;

function stamped<T extends object>(values: Record<string, T>, rx: number) {
  const found: Record<string, Received<T>> = {};
  for (const [key, value] of Object.entries(values)) found[key] = { ...value, rx };
  return found;
}

export function seconds(iso: string): number {
  return new Date(iso).getTime() / 1000;
}

function trendAfter(before: Live | null, frame: Frame): Live["trend"] {
  let t: number[];
  let kw: (number | null)[];
  if (frame.trend !== null) {
    t = frame.trend.t.map(seconds);
    kw = [...frame.trend.head_kw];
  } else {
    t = [...(before?.trend.t ?? [])];
    kw = [...(before?.trend.kw ?? [])];
  }
  const at = seconds(frame.at);
  const last = t.at(-1);
  if (last === undefined || at > last) {
    // A hole in time is a gap in the picture, not a straight line across it.
    if (last !== undefined && at - last > TREND_GAP_S) {
      t.push((last + at) / 2);
      kw.push(null);
    }
    t.push(at);
    kw.push(frame.head.quality === "invalid" ? null : frame.head.kw);
  }
  let first = Math.max(0, t.length - TREND_POINTS_MAX);
  while (first < t.length && (t[first] as number) < at - TREND_WINDOW_S) first += 1;
  return first > 0 ? { t: t.slice(first), kw: kw.slice(first) } : { t, kw };
}

/**
 * The picture after `frame`. A partial frame replaces only the keys it brings; one that arrives
 * before any full frame, or out of order, is not drawn (null, or the picture as it was).
 */
export function merge(before: Live | null, frame: Frame, rx: number): Live | null {
  if (!frame.full && before === null) return null;
  if (!frame.full && before !== null && frame.seq <= before.seq) return before;
  const keep = frame.full ? null : before;
  return {
    ...frame,
    rx,
    nodes: { ...keep?.nodes, ...stamped(frame.nodes, rx) },
    resources: { ...keep?.resources, ...stamped(frame.resources, rx) },
    trend: trendAfter(keep, frame),
  };
}

/** How long the stream has said nothing of a value. */
export function silence(value: { rx: number } | undefined, nowMs: number): number {
  return value ? Math.max(0, nowMs - value.rx) / 1000 : 0;
}

/** Age of a value now: what it had when it came, plus the time since. Null: it never came. */
export function ageOf(value: { age_s: number | null; rx: number }, nowMs: number): number | null {
  return value.age_s === null ? null : value.age_s + Math.max(0, nowMs - value.rx) / 1000;
}
