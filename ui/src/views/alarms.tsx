import { useEffect, useState } from "preact/hooks";
import type { Alarm } from "../api";
import { number, sentence, SITE_TIME } from "../format";
import { byUrgency } from "../judge";
import { call, explain } from "../net";
import { Empty, Panel, Priority, Time } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { announcement, live, session } from "../state/store";

type Filter = "unacked" | "active" | "all";
const FILTERS: { key: Filter; name: string; keeps: (a: Alarm) => boolean }[] = [
  { key: "unacked", name: "Not acknowledged", keeps: (a) => a.state === "unacked" || a.state === "cleared_unacked" },
  { key: "active", name: "Open", keeps: (a) => a.state !== "normal" },
  { key: "all", name: "All", keeps: () => true },
];
const STATE_WORD: Record<Alarm["state"], string> = {
  unacked: "active, not acknowledged", acked: "active, acknowledged",
  cleared_unacked: "returned to normal, not acknowledged", normal: "returned to normal",
};

export function Alarms() {
  const [all, setAll] = useState<Alarm[] | null>(null);
  const [filter, setFilter] = useState<Filter>("active");
  const [failure, setFailure] = useState("");
  const l = live.value;
  const key = l ? `${l.alarms.active}/${l.alarms.unacked}/${l.alarms.top.map((a) => a.key + a.state).join()}` : "";
  const load = async (): Promise<void> => {
    const answer = await call<{ alarms: Alarm[] }>("GET", "alarms");
    if (answer.ok) setAll(answer.value.alarms);
    setFailure(answer.ok ? "" : explain(answer.problem));
  };
  useEffect(() => {
    void load();
  }, [key]);
  const ack = async (a: Alarm): Promise<void> => {
    const answer = await call<unknown>("POST", "alarms/ack", { key: a.key });
    if (answer.ok) announcement.value = `Acknowledged: ${a.text}`;
    await load();
    if (!answer.ok) setFailure(explain(answer.problem));
  };
  const may = session.value?.may.includes("ack") ?? false;
  const rows = (all ?? []).filter((FILTERS.find((f) => f.key === filter) ?? FILTERS[1])!.keeps).sort(byUrgency);
  return (
    <Panel title={`Alarms: ${number(l?.alarms.active)} active, ${number(l?.alarms.returned)} returned to normal, ${number(l?.alarms.unacked)} not acknowledged`} aside={
      <span class="segmented" role="group" aria-label="Alarms shown">
        {FILTERS.map((f) => (
          <button key={f.key} type="button" aria-pressed={filter === f.key} onClick={() => setFilter(f.key)}>{f.name}</button>
        ))}
      </span>
    }>
      <Failure text={failure} />
      {all === null ? <Empty>Loading…</Empty> : rows.length === 0 ? <Empty>{filter === "all" ? "There was no alarm yet." : "No alarm. Nothing to do here."}</Empty> : (
        <table class="data alarms">
          <thead><tr><th>Priority</th><th>State</th><th>Alarm</th><th>What to do</th><th>Raised, {SITE_TIME}</th><th>Returned</th><th>Acknowledged by</th><th><span class="sr">Acknowledge</span></th></tr></thead>
          <tbody>
            {rows.map((a) => {
              const waits = a.state === "unacked" || a.state === "cleared_unacked";
              return (
                <tr key={a.key} class={a.state}>
                  <td><span class={a.state === "unacked" ? "attention" : ""}><Priority of={a.priority} words /></span></td>
                  <td>{STATE_WORD[a.state]}</td>
                  <th scope="row" class="wrap">{sentence(a.text)}{a.source ? <span class="small"> kept by the device of {a.source}</span> : null}</th>
                  <td>{sentence(a.response)}</td>
                  <td class="num"><Time at={a.raised} dated /></td>
                  <td class="num">{a.cleared ? <Time at={a.cleared} dated /> : ""}</td>
                  <td>{a.acked_by ?? ""}</td>
                  <td>{waits ? <button type="button" disabled={!may} onClick={() => void ack(a)} aria-label={`Acknowledge: ${a.text}`}>Acknowledge</button> : null}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
