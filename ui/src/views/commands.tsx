import { useEffect, useState } from "preact/hooks";
import type { PlanRow } from "../api";
import { isOpen, isRunning } from "../judge";
import { call } from "../net";
import { Panel } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { LadderTable, Tally } from "../parts/ladderview";
import { go, href } from "../router";
import { useCommands } from "../state/commands";
import { live } from "../state/store";

export function Commands(props: { plan: string | undefined }) {
  const [all, setAll] = useState<PlanRow[]>([]);
  const key = live.value?.plans.map((p) => p.id + p.state).join() ?? "";
  useEffect(() => {
    void call<{ plans: PlanRow[] }>("GET", "plans").then((a) => {
      if (a.ok) setAll(a.value.plans);
    });
  }, [key]);
  const plan = props.plan ?? live.value?.plans.find(isRunning)?.id ?? all[0]?.id ?? null;
  const chosen = all.find((p) => p.id === plan);
  const { rows, problem } = useCommands(plan);
  return (
    <Panel title={plan ? `Commands of plan ${plan}` : "Commands"} aside={
      <>
        <label class="small">Plan{" "}
          <select value={plan ?? ""} onChange={(e) => go("commands", e.currentTarget.value)}>
            {all.map((p) => <option key={p.id} value={p.id}>{p.id} ({p.state})</option>)}
          </select>
        </label>
        {plan ? <a href={href("plans", plan)}>Open plan</a> : null}
      </>
    }>
      <Failure text={problem} />
      {rows?.length === 0 ? <p class="empty">Nothing of this plan was ordered{chosen && isOpen(chosen) ? ": it waits for approval" : ""}.</p> : null}
      <div class="dims">{rows?.length === 0 ? null : rows ? <><Tally rows={rows} /><LadderTable rows={rows} /></> : plan ? "Loading…" : "There is no plan yet."}</div>
    </Panel>
  );
}
