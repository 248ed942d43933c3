import { useEffect, useState } from "preact/hooks";
import type { PlanRow } from "../api";
import { countdown, kw, number, plural, shortDigest, signedKw, SITE_TIME } from "../format";
import { isOpen, isRunning } from "../judge";
import { call, explain } from "../net";
import { Empty, Panel, PlanChip, Reasons, Time } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { go, href } from "../router";
import { leftNow } from "../state/stale";
import { fresh, live, second, session } from "../state/store";

export function Plans() {
  const [all, setAll] = useState<PlanRow[] | null>(null);
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const l = live.value;
  const key = l?.plans.map((p) => p.id + p.state).join() ?? "";
  useEffect(() => {
    void call<{ plans: PlanRow[] }>("GET", "plans").then((a) => {
      if (a.ok) setAll(a.value.plans);
      else setFailure(explain(a.problem));
    });
  }, [key]);
  const run = async (): Promise<void> => {
    setBusy(true);
    setFailure("");
    const answer = await call<{ id: string }>("POST", "plans", {});
    setBusy(false);
    if (answer.ok) go("plans", answer.value.id);
    else setFailure(explain(answer.problem));
  };
  const current = l?.plans ?? [];
  const past = (all ?? []).filter((p) => !current.some((c) => c.id === p.id));
  const may = session.value?.may.includes("approve") ?? false;
  return (
    <>
      <Panel title="Waiting and active plans, soonest expiry first" aside={may ? (
        <button type="button" disabled={busy || !fresh.value} onClick={() => void run()}>
          {busy ? "Planning…" : "Plan now"}
        </button>
      ) : null}>
        <Failure text={failure} />
        <Reasons title="Nothing can be approved or released now:" list={l?.blocked ?? []} class="blocked" />
        {current.length === 0 ? <Empty>No plan waits and none is active. {l?.cycle ? `The last cycle said: ${l.cycle.reason || l.cycle.status}.` : ""}</Empty>
          : <Table rows={current} />}
      </Panel>
      <Panel title="Earlier plans">
        {all === null ? <Empty>Loading…</Empty> : past.length === 0 ? <Empty>None yet.</Empty> : <Table rows={past} />}
      </Panel>
    </>
  );
}

function Table(props: { rows: PlanRow[] }) {
  const rx = live.value?.rx ?? 0;
  return (
    <table class="data wide">
      <thead>
        <tr><th>Plan</th><th>State</th><th class="r">Expires in</th><th class="r">Net, kW</th><th>Controls</th>
          <th class="r">Customers</th><th class="r">Cost</th><th>Approvals</th><th>Reason, blocked by</th><th>Created, {SITE_TIME}</th><th>Digest</th><th><span class="sr">Open</span></th></tr>
      </thead>
      <tbody>
        {props.rows.map((p) => {
          const left = isOpen(p) ? leftNow(p.expires_in_s, rx, second.value) : null;
          return (
            <tr key={p.id}>
              <th scope="row"><a href={href("plans", p.id)}>{p.id}</a> v{p.version}</th>
              <td><PlanChip state={p.state} /></td>
              <td class={`num r ${left !== null && left < 60 ? "soon" : ""}`}>{left === null ? "" : countdown(left)}</td>
              <td class="num r">{signedKw(-p.net_kw)}</td>
              <td>{controlWords(p)}</td>
              <td class="num r">{number(p.customers)}</td>
              <td class="num r">{kw(p.cost)}</td>
              <td>{number(p.approvals)} of {number(p.approvals_needed)}</td>
              <td>{[p.reason, ...p.blocked].filter(Boolean).join("; ")}</td>
              <td class="num"><Time at={p.created} dated /></td>
              <td class="mono" title={p.digest}>{shortDigest(p.digest)}</td>
              <td><a class={`button ${isOpen(p) ? "primary" : ""}`} href={href("plans", p.id)}>{isOpen(p) ? "Review" : isRunning(p) ? "Execution" : "Open"}</a></td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export function controlWords(p: Pick<PlanRow, "controls">): string {
  const words = [
    p.controls.load_group ? plural(p.controls.load_group, "load group") : "",
    p.controls.battery ? plural(p.controls.battery, "battery", "batteries") : "",
    p.controls.pv ? plural(p.controls.pv, "PV inverter") : "",
    p.controls.generator ? plural(p.controls.generator, "generator") : "",
  ].filter(Boolean);
  return words.join(", ") || "none";
}
