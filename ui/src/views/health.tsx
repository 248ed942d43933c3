// The health of what carries the power: parts and data coverage, never a probability of failure.
import { useEffect, useState } from "preact/hooks";
import type { AssetPage, AssetReview, ThermalHealth, VeeReview } from "../api";
import { duration, number, sentence, SITE_TIME, UNKNOWN } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Time } from "../parts/bits";
import { Chart, type Line, type Series } from "../parts/chart";
import { Failure } from "../parts/dialog";
import { seconds } from "../state/merge";

const REFRESH_MS = 60_000;
const HOT: Line = { name: "hot spot, median", colour: "--curve", width: 2 };
const HIGH: Line = { name: "hot spot, P90", colour: "--accent", width: 1.5, dash: [5, 4] };
const OIL: Line = { name: "top oil, median", colour: "--forecast", width: 1.5 };
const LIMIT: Line = { name: "limit of the hot spot, 120 °C", colour: "--warn", width: 1.5, dash: [8, 4] };
const VOLTAGES_SHOWN = 12;

const known = (v: number | null, digits = 0): string => (v === null ? UNKNOWN : number(v, digits));
const share = (v: number): string => `${number(100 * v)} %`;

export function Health() {
  const [page, setPage] = useState<AssetPage | null>(null);
  const [vee, setVee] = useState<VeeReview | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    let gone = false;
    const load = async (): Promise<void> => {
      const [answer, marks] = await Promise.all([
        call<AssetPage>("GET", "assets"), call<{ review: VeeReview | null }>("GET", "validation"),
      ]);
      if (gone) return;
      setFailure(answer.ok ? "" : explain(answer.problem));
      if (answer.ok) setPage(answer.value);
      if (marks.ok) setVee(marks.value.review);
    };
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => { gone = true; clearInterval(timer); };
  }, []);
  const review = page?.review ?? null;
  return (
    <>
      <Failure text={failure} />
      {page === null ? <Empty>Waiting for data…</Empty> : review === null ? null : <Parts of={review} note={page.note} />}
      {page?.waits.length ? (
        <Panel title="What this page waits for">
          <ul class="parts">{page.waits.map((one) => <li key={one}>{sentence(one)}</li>)}</ul>
        </Panel>
      ) : null}
      {review?.transformers.map((one) => <Transformer key={one.name} of={one} />)}
      {review ? <><Moves of={review} /><Voltages of={review} /></> : null}
      {vee ? <Validation of={vee} /> : null}
    </>
  );
}

function Parts(props: { of: AssetReview; note: string }) {
  const r = props.of;
  const parts = Object.entries(r.parts);
  return (
    <Panel title={`Health ${known(r.score)} of 100`} aside={<span class="small">the last {number(r.days)} days, as of <Time at={r.at} dated /> {SITE_TIME}</span>}>
      <p>{r.worst ? <>It is only its worst part: <b>{r.worst}</b>.</> : "No part is known yet."} Data coverage {share(r.coverage)}.</p>
      <ul class="parts">
        {parts.map(([name, value]) => <li key={name}>{name}: {share(value)} of what is allowed</li>)}
      </ul>
      <p class="small">{props.note}.</p>
    </Panel>
  );
}

function Transformer(props: { of: ThermalHealth }) {
  const one = props.of;
  const t = one.curve.t.map(seconds);
  const series: Series[] = [
    { line: HOT, t, v: one.curve.hot_spot_c }, { line: HIGH, t, v: one.curve.hot_spot_p90_c },
    { line: OIL, t, v: one.curve.top_oil_c },
  ];
  if (t.length) series.push({ line: LIMIT, t: [t[0] ?? 0, t.at(-1) ?? 0], v: [120, 120] });
  return (
    <Panel title={`Transformer ${one.name}`} aside={<span class={`chip ${one.is_alarm ? "bad-chip" : ""}`}>{one.is_alarm ? "▲ a limit is in reach" : `${one.kind}, ${number(one.rating_kva)} kVA`}</span>}>
      {one.why ? <Empty>Nothing can be said: {one.why}.</Empty> : (
        <>
          <p>Load {known(one.load_pct)} %, hot spot {known(one.hot_spot_c)} °C (highest {known(one.hot_spot_max_c)} °C), top oil {known(one.top_oil_c)} °C.
            Insulation ages {known(one.ageing, 2)} times as fast as rated: {known(one.life_used_pct, 4)} % of its life in these days. Data coverage {share(one.coverage)}.</p>
          <Chart series={series} band={null} now={null} unit="°C"
            summary={`Hot spot of ${one.name} now ${known(one.hot_spot_c)} °C; limit 120 °C.`} />
          <table class="data">
            <thead><tr><th>If the load comes as</th><th class="r">Hottest, °C</th><th class="r">Until a limit</th><th class="r" title="The largest factor on the forecast load that keeps the limits">Headroom</th></tr></thead>
            <tbody>
              {one.paths.map((p) => (
                <tr key={p.quantile}>
                  <th scope="row">P{number(100 * p.quantile)}</th>
                  <td class="num r">{number(p.hot_spot_max_c)}</td>
                  <td class="num r">{p.time_to_limit_min === null ? "not reached" : duration(60 * p.time_to_limit_min)}</td>
                  <td class="num r">× {number(p.headroom, 2)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </Panel>
  );
}

function Moves(props: { of: AssetReview }) {
  const rows = [...props.of.movements].sort((a, b) => b.operations - a.operations);
  return (
    <Panel title="Tap changers, switches, capacitors: operations">
      {rows.length === 0 ? <Empty>No position is measured.</Empty> : (
        <table class="data">
          <thead><tr><th>Equipment</th><th>Point</th><th class="r">Operations</th><th class="r">A day</th><th class="r">Busiest day</th><th class="r" title="More than three turns within half an hour">Hunting</th><th class="r" title="Of the contacts' life, by the current that each opening broke">Contacts, %</th><th class="r" title="Of 2,000 openings, class M1">Mechanics, %</th><th class="r">Data</th></tr></thead>
          <tbody>
            {rows.map((m) => (
              <tr key={m.point}>
                <th scope="row">{m.equipment}</th><td>{m.point}</td><td class="num r">{number(m.operations)}</td>
                <td class="num r">{number(m.per_day, 1)}</td><td class="num r">{number(m.busiest_day)}</td>
                <td class="num r">{m.hunting ? <b>▲ {number(m.hunting)}</b> : "0"}</td>
                <td class="num r" title={m.openings === null ? "no switch" : `${m.openings} openings`}>{m.openings === null ? "–" : known(m.contacts_pct, 2)}</td>
                <td class="num r">{m.openings === null ? "–" : known(m.mechanical_pct, 2)}</td><td class="num r">{share(m.coverage)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Voltages(props: { of: AssetReview }) {
  const all = props.of.voltages;
  const verdict = (v: boolean | null): string => (v === null ? "too few data" : v ? "✓ complies" : "▲ does not comply");
  return (
    <Panel title="Voltages after EN 50160, worst first" aside={all.length > VOLTAGES_SHOWN ? <span class="small">{VOLTAGES_SHOWN} of {number(all.length)}</span> : null}>
      {all.length === 0 ? <Empty>No voltage is measured.</Empty> : (
        <table class="data">
          <thead><tr><th>Node</th><th>Phase</th><th>The week</th><th class="r">Within ±10 %, %</th><th class="r">Lowest, pu</th><th class="r">Highest, pu</th><th class="r">Longest outside</th><th class="r">Data</th></tr></thead>
          <tbody>
            {all.slice(0, VOLTAGES_SHOWN).map((v) => (
              <tr key={v.point}>
                <th scope="row">{v.equipment}</th><td>{v.phase}</td><td>{v.means ? verdict(v.complies) : "no data"}</td>
                <td class="num r">{v.means ? number(v.within_10_pct, 1) : UNKNOWN}</td>
                <td class="num r">{v.means ? number(v.lowest_pu, 3) : UNKNOWN}</td>
                <td class="num r">{v.means ? number(v.highest_pu, 3) : UNKNOWN}</td>
                <td class="num r">{duration(60 * v.longest_outside_min)}</td><td class="num r">{share(v.coverage)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Validation(props: { of: VeeReview }) {
  const { marked, looked } = props.of;
  return (
    <Panel title="Validation: values of the last day that a rule has marked" aside={<span class="small">{number(looked)} points looked at, <Time at={props.of.at} dated /></span>}>
      {marked.length === 0 ? <Empty>No value is marked{looked === 0 ? ": no point has two days of history yet" : ""}.</Empty> : (
        <table class="data">
          <thead><tr><th>Point</th><th class="r">Rejected</th><th class="r">Of</th><th>Rules</th></tr></thead>
          <tbody>
            {marked.map((m) => (
              <tr key={m.point}>
                <th scope="row">{m.point}</th><td class="num r">{number(m.rejected)}</td><td class="num r">{number(m.samples)}</td>
                <td class="wrap">{Object.entries(m.rules).map(([rule, n]) => `rule ${rule} (${n})`).join("; ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
