import { useEffect, useState } from "preact/hooks";
import type { Alarm, AlarmList, AlarmRow } from "../api";
import { dateTimeOf, number, sentence, SITE_TIME } from "../format";
import { byUrgency } from "../judge";
import { call, explain } from "../net";
import { Empty, Panel, Priority, Time } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { ShelveDialog } from "../parts/shelve";
import { mute, silence, sounding } from "../state/sound";
import { announcement, live, session } from "../state/store";

type Filter = "unacked" | "active" | "system" | "shelved" | "all";
const FILTERS: { key: Filter; name: string; keeps: (a: AlarmRow) => boolean }[] = [
  { key: "unacked", name: "Not acknowledged", keeps: (a) => !a.shelved && !a.system && (a.state === "unacked" || a.state === "cleared_unacked") },
  { key: "active", name: "Open", keeps: (a) => !a.shelved && !a.system && a.state !== "normal" },
  { key: "system", name: "System", keeps: (a) => !a.shelved && a.system && a.state !== "normal" },
  { key: "shelved", name: "Put aside", keeps: (a) => a.shelved !== null },
  { key: "all", name: "All", keeps: () => true },
];
const STATE_WORD: Record<Alarm["state"], string> = {
  unacked: "active, not acknowledged", acked: "active, acknowledged",
  cleared_unacked: "returned to normal, not acknowledged", normal: "returned to normal",
};

export function Alarms() {
  const [all, setAll] = useState<AlarmRow[] | null>(null);
  const [filter, setFilter] = useState<Filter>("active");
  const [failure, setFailure] = useState("");
  const [flood, setFlood] = useState<AlarmList["flood"]>(null);
  const [shelving, setShelving] = useState<AlarmRow | null>(null);
  const l = live.value;
  const key = l ? `${l.alarms.active}/${l.alarms.unacked}/${l.alarms.top.map((a) => a.key + a.state).join()}` : "";
  const load = async (): Promise<void> => {
    const answer = await call<AlarmList>("GET", "alarms");
    if (answer.ok) {
      setAll(answer.value.alarms);
      setFlood(answer.value.flood);
    }
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
  const unshelve = async (a: AlarmRow): Promise<void> => {
    const answer = await call<unknown>("POST", "alarms/unshelve", { key: a.key });
    await load();
    if (!answer.ok) setFailure(explain(answer.problem));
  };
  const systemOpen = (all ?? []).filter(FILTERS[2]!.keeps).length;
  const may = session.value?.may.includes("ack") ?? false;
  const rows = (all ?? []).filter((FILTERS.find((f) => f.key === filter) ?? FILTERS[1])!.keeps).sort(byUrgency);
  return (
    <Panel title={`Alarms: ${number(l?.alarms.active)} active, ${number(l?.alarms.returned)} returned to normal, ${number(l?.alarms.unacked)} not acknowledged`} aside={
      <span class="segmented" role="group" aria-label="Alarms shown">
        {FILTERS.map((f) => (
          <button key={f.key} type="button" aria-pressed={filter === f.key} onClick={() => setFilter(f.key)}>{f.name}{f.key === "system" && systemOpen > 0 ? ` (${systemOpen})` : ""}</button>
        ))}
      </span>
    }>
      <Failure text={failure} />
      <p class="alarm-bar">
        <button type="button" disabled={sounding.value.length === 0} onClick={silence}>Silence</button>
        <label class="tick"><input type="checkbox" checked={mute.value} onChange={(e) => { mute.value = e.currentTarget.checked; }} /> No tone in this browser</label>
        <a href="/api/v1/alarms/history.csv?days=31">History of 31 days (CSV)</a>
      </p>
      {flood ? <p class="failure" role="alert">Flood since {dateTimeOf(flood.since)}: {flood.count} alarms. The first was <b>{all?.find((a) => a.key === flood.first_out)?.text ?? flood.first_out}</b>: look there first.</p> : null}
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
                  <th scope="row" class="wrap">{sentence(a.text)}{a.source ? <span class="small"> kept by the device of {a.source}</span> : null}{a.shelved ? <span class="small"> put aside by {a.shelved.by} until {dateTimeOf(a.shelved.until)}: {a.shelved.reason}</span> : null}</th>
                  <td>{sentence(a.response)}</td>
                  <td class="num"><Time at={a.raised} dated /></td>
                  <td class="num">{a.cleared ? <Time at={a.cleared} dated /> : ""}</td>
                  <td>{a.acked_by ?? ""}</td>
                  <td>{waits ? <button type="button" disabled={!may} onClick={() => void ack(a)} aria-label={`Acknowledge: ${a.text}`}>Acknowledge</button> : null}
                    {a.shelved ? <button type="button" disabled={!may} onClick={() => void unshelve(a)} aria-label={`Take back: ${a.text}`}>Take back</button>
                      : a.state !== "normal" && a.priority > 1 ? <button type="button" disabled={!may} onClick={() => setShelving(a)} aria-label={`Put aside: ${a.text}`}>Put aside…</button> : null}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {shelving ? <ShelveDialog alarm={shelving} onClose={() => setShelving(null)} onDone={() => {
        setShelving(null);
        announcement.value = `Put aside: ${shelving.text}`;
        void load();
      }} /> : null}
    </Panel>
  );
}
