// SG-13: no frame for 3 s means that what is on the screen is history.
export const STALE_AFTER_MS = 3000;

export type Liveness = "waiting" | "live" | "stale";

/** `lastFrameMs` and `nowMs` on one monotonic clock (performance.now). */
export function liveness(lastFrameMs: number | null, nowMs: number): Liveness {
  if (lastFrameMs === null) return "waiting";
  return nowMs - lastFrameMs > STALE_AFTER_MS ? "stale" : "live";
}

/** Real seconds left of something that had `left_s` when the frame came. */
export function leftNow(left_s: number | null, rxMs: number, nowMs: number): number | null {
  return left_s === null ? null : Math.max(0, left_s - Math.max(0, nowMs - rxMs) / 1000);
}
