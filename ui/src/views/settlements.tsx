// Settlement runs: what an event was worth, by which baseline, how sure that is, and the statement to hand out.
import { useEffect, useState } from "preact/hooks";
import type { SettledRow, SettledRun, SettlementMethod } from "../api";
import { number, sentence, SITE_TIME, UNKNOWN } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Time } from "../parts/bits";
import { Dialog, Failure } from "../parts/dialog";
import { go, href } from "../router";
import { announcement, session } from "../state/store";

const FORMS: [string, string][] = [
  ["statement.html", "Statement"], ["statement.pdf", "PDF"], ["intervals.csv", "Intervals, CSV"],
];
const SHOWN = 100;

const known = (v: number | null, digits = 0): string => (v === null ? UNKNOWN : number(v, digits));

export function Settlements(props: { id: string | undefined }) {
  const [rows, setRows] = useState<SettledRow[] | null>(null);
  const [asking, setAsking] = useState(false);
  const [failure, setFailure] = useState("");
  const load = async (): Promise<void> => {
    const answer = await call<{ runs: SettledRow[] }>("GET", "settlements");
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (answer.ok) setRows(answer.value.runs);
  };
  useEffect(() => void load(), []);
  const may = session.value?.may.includes("propose") ?? false;
  return (
    <>
      <Panel title="Settlement runs" aside={
        <button type="button" class="primary" disabled={!may} onClick={() => setAsking(true)}>Settle an event…</button>
      }>
        <Failure text={failure} />
        {rows === null ? <Empty>Loading…</Empty> : rows.length === 0
          ? <Empty>Nothing has been settled yet. A run is kept with its readings and its method, and is never changed; another run of the same event is its next version.</Empty>
          : <List rows={rows} chosen={props.id} />}
      </Panel>
      {props.id ? <OneRun key={props.id} id={props.id} /> : null}
      {asking ? <AskDialog onClose={() => setAsking(false)} onDone={(id) => {
        setAsking(false);
        void load();
        go("settlements", id);
      }} /> : null}
    </>
  );
}

function List(props: { rows: SettledRow[]; chosen: string | undefined }) {
  return (
    <table class="data">
      <thead><tr><th>Event</th><th class="r">Version</th><th>Run</th><th>Made, {SITE_TIME}</th><th>By</th><th>To hand out</th></tr></thead>
      <tbody>
        {props.rows.slice(0, SHOWN).map((r) => (
          <tr key={r.id} aria-selected={r.id === props.chosen}>
            <th scope="row"><a href={href("settlements", r.id)}>{r.event}</a></th>
            <td class="num r">{number(r.version)}</td><td class="mono small">{r.id}</td>
            <td class="num"><Time at={r.made} dated /></td><td>{r.by}</td>
            <td>{FORMS.map(([form, name], k) => <>{k ? ", " : ""}<a key={form} href={`/api/v1/settlements/${r.id}/${form}`} target="_blank" rel="noreferrer">{name}</a></>)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function OneRun(props: { id: string }) {
  const [whole, setWhole] = useState<SettledRun | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    void call<SettledRun>("GET", `settlements/${props.id}`).then((answer) => {
      setFailure(answer.ok ? "" : explain(answer.problem));
      if (answer.ok) setWhole(answer.value);
    });
  }, [props.id]);
  if (whole === null) return <Panel title={`Run ${props.id}`}><Failure text={failure} />{failure ? null : <Empty>Made again from what was kept…</Empty>}</Panel>;
  const r = whole.run;
  return (
    <Panel title={`${whole.event}, version ${number(whole.version)}`} aside={<span class="small">made again just now from its stored readings: the same</span>}>
      {r.why_not.length ? <p class="reasons"><b>This does not settle:</b> {r.why_not.map(sentence).join(" ")}</p> : null}
      <p>Reduced by <b>{number(r.reduction_kwh, 1)} kWh</b>{r.band_kwh === null ? "" : ` ± ${number(r.band_kwh, 1)} kWh (90 %)`} of {number(r.committed_kwh, 1)} kWh committed: performance <b>{known(r.performance_pct)} %</b>.{" "}
        {r.probability === null ? "" : `That anything was reduced at all is ${number(100 * r.probability)} % sure.`}</p>
      <table class="data">
        <tbody>
          <tr><th scope="row">Baseline</th><td class="num r">{number(r.baseline_kwh, 1)} kWh</td><td class="wrap">{r.title}, version {r.method_version} <span class="small mono">{r.method_digest.slice(0, 12)}</span></td></tr>
          <tr><th scope="row">Meter</th><td class="num r">{number(r.load_kwh, 1)} kWh</td><td class="wrap">{r.ask.resource}, {r.ask.timezone}</td></tr>
          <tr><th scope="row">Adjustment</th><td class="num r">{known(r.adjustment_used, 3)}</td><td class="wrap">{r.adjustment}{r.adjustment_raw === r.adjustment_used ? "" : `, before its cap ${known(r.adjustment_raw, 3)}`}</td></tr>
          <tr><th scope="row">Days of the baseline</th><td class="num r">{number(r.days.length)}</td><td class="wrap">{r.days.join(", ")}</td></tr>
          <tr><th scope="row">On days without an event</th><td class="num r">{r.score ? `${number(r.score.rrmse_pct, 1)} %` : UNKNOWN}</td><td class="wrap">{r.score ? `error of this baseline, bias ${number(r.score.bias_pct, 1)} %, over ${number(r.score.events)} days; at most 20 % and ± 4 % are accepted` : "not known: too few days"}</td></tr>
        </tbody>
      </table>
      {r.notes.length ? <p class="small">{r.notes.map(sentence).join(" ")}</p> : null}
      <p class="small">Readings by their digest <span class="mono">{r.ask.inputs.slice(0, 16)}</span>. The same inputs give the same run; who edits the record gets a refusal instead of a statement.</p>
    </Panel>
  );
}

function AskDialog(props: { onClose: () => void; onDone: (id: string) => void }) {
  const [methods, setMethods] = useState<SettlementMethod[]>([]);
  const [point, setPoint] = useState("");
  const [day, setDay] = useState("");
  const [from, setFrom] = useState("15:00");
  const [to, setTo] = useState("19:00");
  const [method, setMethod] = useState("");
  const [kw, setKw] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    void call<{ methods: SettlementMethod[] }>("GET", "settlements/methods").then((a) => {
      if (a.ok) setMethods(a.value.methods);
    });
  }, []);
  const settle = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    const query = new URLSearchParams({ resource: point, event: `${day}T${from}/${to}`, method, committed_kw: kw });
    const answer = await call<SettledRun>("POST", `settlements?${query.toString()}`);
    setBusy(false);
    if (!answer.ok) {
      setFailure(explain(answer.problem));
      return;
    }
    announcement.value = `Settled: ${answer.value.event}`;
    props.onDone(answer.value.id);
  };
  return (
    <Dialog title="Settle an event" onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void settle(e)}>
        <p class="small">From the history of a point that is measured here, in quarters of an hour, UTC. Readings of a customer's own meter come by <span class="mono">gridctl settle</span> or over the API.</p>
        <label class="field">Point of the load, kW
          <input required data-first value={point} onInput={(e) => setPoint(e.currentTarget.value.trim())} />
        </label>
        <label class="field">Day of the event
          <input type="date" required value={day} onInput={(e) => setDay(e.currentTarget.value)} />
        </label>
        <label class="field">From
          <input type="time" required value={from} onInput={(e) => setFrom(e.currentTarget.value)} />
        </label>
        <label class="field">To
          <input type="time" required value={to} onInput={(e) => setTo(e.currentTarget.value)} />
        </label>
        <label class="field">Baseline
          <select required value={method} onChange={(e) => setMethod(e.currentTarget.value)}>
            <option value="">Choose…</option>
            {methods.map((m) => <option key={m.id} value={m.id}>{m.title}</option>)}
          </select>
        </label>
        <label class="field">Committed, kW
          <input type="number" required min={0} step="any" value={kw} onInput={(e) => setKw(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions"><button type="button" onClick={props.onClose}>Cancel</button><button type="submit" class="primary" disabled={busy}>{busy ? "Reckoning…" : "Settle"}</button></div>
      </form>
    </Dialog>
  );
}
