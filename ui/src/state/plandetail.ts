// Full plans, fetched once for each digest and state: they do not change in between.
import { signal } from "@preact/signals";
import type { PlanDetail, PlanRow } from "../api";
import { call, explain } from "../net";

interface Kept {
  detail: PlanDetail | null;
  problem: string;
  key: string;
}

export const plans = signal<Record<string, Kept>>({});
const asked = new Map<string, string>();
const KEPT_MAX = 24;

export function keyOf(row: Pick<PlanRow, "digest" | "state" | "approvals">): string {
  return `${row.digest}/${row.state}/${row.approvals}`;
}

export function keep(detail: PlanDetail): void {
  const entries = Object.entries(plans.value).filter(([id]) => id !== detail.id).slice(-KEPT_MAX);
  plans.value = {
    ...Object.fromEntries(entries), [detail.id]: { detail, problem: "", key: keyOf(detail) },
  };
}

/** Fetch plan `id` unless what we have (or have asked for) is of this `key`. */
export async function want(id: string, key: string): Promise<void> {
  if (asked.get(id) === key) return;
  asked.set(id, key);
  const answer = await call<PlanDetail>("GET", `plans/${encodeURIComponent(id)}`);
  if (answer.ok) keep(answer.value);
  else {
    const before = plans.value[id]?.detail ?? null;
    plans.value = { ...plans.value, [id]: { detail: before, problem: explain(answer.problem), key } };
  }
}

export function forget(id: string): void {
  asked.delete(id);
}
