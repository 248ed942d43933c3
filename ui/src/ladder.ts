// A command's life as five separate states (SG-04). Intent is never shown as fact: a rung is
// "done" only when the journal has the state that proves it.
import type { CommandRow, CommandState } from "./api";

export const RUNGS = ["intended", "sent", "accepted", "confirmed", "effective"] as const;
export type Rung = (typeof RUNGS)[number];
/** "unknown": it went out and the proof has not come; it may or may not have happened. */
export type RungStatus = "done" | "waiting" | "failed" | "unknown" | "open";

export interface Step {
  rung: Rung;
  status: RungStatus;
  /** The journal's own state that put it there. */
  state: CommandState | null;
  at: string | null;
  detail: string;
}

export interface Ladder {
  steps: Step[];
  /** Reached rung, in a word for the table and for screen readers. */
  reached: Rung | "nothing yet";
  failed: boolean;
  released: boolean;
}

/** What proves each rung. */
const PROOF: Record<Rung, readonly CommandState[]> = {
  intended: ["proposed", "approved"],
  sent: ["operated"],
  accepted: ["accepted"],
  confirmed: ["confirmed"],
  effective: ["effective"],
};

/** States on the way to a rung: they say how far, but they prove nothing further. */
const ON_THE_WAY: Partial<Record<CommandState, Rung>> = {
  ordered: "sent",
  admitted: "sent",
  selected: "sent",
};

const FAILURES: readonly CommandState[] = ["refused", "expired", "failed", "unconfirmed"];

export function ladder(row: Pick<CommandRow, "state" | "history" | "status" | "detail">): Ladder {
  const journal = row.history.length
    ? row.history
    : [{ state: row.state, at: "", status: row.status, detail: row.detail }];
  const steps: Step[] = RUNGS.map((rung) => ({
    rung, status: "open", state: null, at: null, detail: "",
  }));
  let highest = -1;
  for (const entry of journal) {
    const index = RUNGS.findIndex((r) => PROOF[r].includes(entry.state));
    const step = steps[index];
    if (step) {
      Object.assign(step, {
        status: "done", state: entry.state, at: entry.at || null, detail: words(entry),
      });
      highest = Math.max(highest, index);
    }
  }
  // What lies below a proven rung did happen, even when the journal we got starts later.
  for (let i = 0; i < highest; i += 1) {
    const step = steps[i] as Step;
    if (step.status === "open") step.status = "done";
  }
  const next = steps[highest + 1];
  const failure = journal.findLast((e) => FAILURES.includes(e.state));
  const failed = FAILURES.includes(row.state);
  if (next && failed && failure) {
    Object.assign(next, {
      status: failure.state === "unconfirmed" && next.rung !== "effective" ? "unknown" : "failed",
      state: failure.state, at: failure.at || null, detail: words(failure),
    });
  } else if (next && highest >= 0 && row.state !== "released") {
    const way = journal.findLast((e) => ON_THE_WAY[e.state] === next.rung);
    Object.assign(next, {
      status: "waiting", state: way?.state ?? null, at: way?.at ?? null,
      detail: way ? words(way) : "",
    });
  }
  return {
    steps, failed,
    reached: RUNGS[highest] ?? "nothing yet",
    released: row.state === "released",
  };
}

function words(entry: { state: CommandState; status: string; detail: string }): string {
  return [entry.state, entry.status, entry.detail].filter(Boolean).join(": ");
}

/** How many commands have proven each rung, how many failed, and of how many nobody knows. */
export function tally(
  rows: readonly CommandRow[],
): Record<Rung, number> & { failed: number; unknown: number } {
  const count = { intended: 0, sent: 0, accepted: 0, confirmed: 0, effective: 0, failed: 0, unknown: 0 };
  for (const row of rows) {
    const l = ladder(row);
    for (const step of l.steps) if (step.status === "done") count[step.rung] += 1;
    if (l.steps.some((step) => step.status === "unknown")) count.unknown += 1;
    else if (l.failed) count.failed += 1;
  }
  return count;
}
