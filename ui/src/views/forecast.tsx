// The forecast: what is expected, what earlier forecasts said of what came, and what they were worth.
import { useEffect, useState } from "preact/hooks";
import type { ForecastPage, ForecastReview, KwSeries } from "../api";
import { duration, kw, number, SITE_TIME } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Time } from "../parts/bits";
import { Chart, type Band, type Line, type Series } from "../parts/chart";
import { Failure } from "../parts/dialog";
import { seconds } from "../state/merge";

const REFRESH_MS = 30_000;
const LEADS_H = [0.5, 1, 3, 6, 12, 24];
const CAME: Line = { name: "measured, our reductions added", colour: "--curve", width: 2 };
const SAID: Line = { name: "was forecast, P50", colour: "--accent", width: 1.5, dash: [3, 3] };
const P50: Line = { name: "forecast P50", colour: "--forecast", width: 1.5, dash: [5, 4] };
const LIMIT: Line = { name: "limit", colour: "--warn", width: 1.5, dash: [8, 4] };

interface Curve { t: number[]; v: (number | null)[] }

/** Means are drawn at the middle of their intervals; `known`: only what was said. */
function curve(s: KwSeries, known = false): Curve {
  const all = s.kw.map((v, k): [number, number | null] => [seconds(s.start) + (k + 0.5) * s.step_s, v]);
  const kept = known ? all.filter(([, v]) => v !== null) : all;
  return { t: kept.map(([t]) => t), v: kept.map(([, v]) => v) };
}

/** P10 to P90 of what was said and of what is said now, as one band. */
function bandOf(page: ForecastPage): Band | null {
  const t: number[] = [], low: number[] = [], high: number[] = [];
  const now = page.current ? seconds(page.current.start) : Infinity;
  if (page.past) {
    const below = curve(page.past.p10, true), above = curve(page.past.p90, true);
    below.t.forEach((at, k) => {
      if (at < now) { t.push(at); low.push(below.v[k] ?? 0); high.push(above.v[k] ?? 0); }
    });
  }
  const f = page.current;
  if (f) {
    const bottom = f.values_kw[f.quantiles.indexOf(0.1)], top = f.values_kw[f.quantiles.indexOf(0.9)];
    bottom?.forEach((v, k) => { t.push(now + (k + 0.5) * f.step_s); low.push(v); high.push(top?.[k] ?? v); });
  }
  return t.length ? { name: "P10–P90 as said then", colour: "--band", t, low, high } : null;
}

export function Forecasts() {
  const [lead_h, setLead] = useState(1);
  const [page, setPage] = useState<ForecastPage | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    let gone = false;
    const load = async (): Promise<void> => {
      const answer = await call<ForecastPage>("GET", `forecasts?hours=48&lead_h=${lead_h}`);
      if (gone) return;
      setFailure(answer.ok ? "" : explain(answer.problem));
      if (answer.ok) setPage(answer.value);
    };
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => { gone = true; clearInterval(timer); };
  }, [lead_h]);
  return (
    <>
      <Panel title="Import at the feeder head: forecast, and what came" aside={
        <div class="segmented" role="group" aria-label="How far ahead the past forecasts looked">
          {LEADS_H.map((h) => (
            <button key={h} type="button" aria-pressed={h === lead_h} onClick={() => setLead(h)}>{h < 1 ? `${h * 60} min` : `${h} h`}</button>
          ))}
        </div>
      }>
        <Failure text={failure} />
        {page === null ? <Empty>Waiting for data…</Empty> : <Trend page={page} />}
      </Panel>
      {page ? <Skill page={page} /> : null}
    </>
  );
}

function Trend(props: { page: ForecastPage }) {
  const { page } = props;
  const f = page.current;
  const series: Series[] = [];
  if (page.measured) series.push({ line: CAME, ...curve(page.measured) });
  if (page.past) series.push({ line: SAID, ...curve(page.past.p50, true) });
  const median = f?.values_kw[f.quantiles.indexOf(0.5)] ?? [];
  if (f) series.push({ line: P50, t: median.map((_, k) => seconds(f.start) + (k + 0.5) * f.step_s), v: median });
  const at = seconds(page.at);
  const first = page.measured ? seconds(page.measured.start) : at;
  const end = f ? seconds(f.start) + f.step_s * median.length : at;
  series.push({ line: LIMIT, t: [first, end], v: [page.limit_kw, page.limit_kw] });
  const peak = median.length ? Math.max(...median) : null;
  return (
    <>
      <Chart series={series} band={bandOf(page)} now={at} unit="kW"
        summary={f ? `Forecast peak ${kw(peak)} kW, limit ${kw(page.limit_kw)} kW.` : "No forecast."} />
      {f ? (
        <p class="small">{f.method}; from {number(f.history_days, 0)} days. {f.nmae_pct === null ? "" : `Its median was ${number(f.nmae_pct, 1)} % off in the last days.`}</p>
      ) : <p>No forecast has been made yet.</p>}
      {page.past ? null : <p class="small">No earlier forecast has been kept yet: one an hour will be.</p>}
    </>
  );
}

function Skill(props: { page: ForecastPage }) {
  const r = props.page.review;
  return (
    <Panel title={`Skill at ${props.page.feeder}`} aside={r ? <span class="small">the last {number(r.days)} days, as of <Time at={r.at} dated /> {SITE_TIME}</span> : null}>
      {r?.shift ? (
        <p class="reasons">The load's level has shifted by <b>{kw(r.shift.kw)} kW</b> since <Time at={r.shift.since} dated /> (found <Time at={r.shift.found} dated />).</p>
      ) : null}
      {r === null || r.horizons.length === 0 ? <Empty>Nothing to judge yet: forecasts are held against what came once an hour.</Empty> : <Horizons of={r} />}
    </Panel>
  );
}

function Horizons(props: { of: ForecastReview }) {
  const unknown = (v: number | null, digits: number): string => (v === null ? "?" : number(v, digits));
  return (
    <table class="data">
      <thead><tr>
        <th>Ahead</th><th class="r" title="Mean error of the median / mean load">Error, %</th>
        <th class="r" title="The same, had one taken the value of a week before">Last week, %</th>
        <th class="r" title="How much smaller our error is; below 0: last week was better">Skill, %</th>
        <th class="r" title="Mean of actual minus forecast">Bias, kW</th>
        <th class="r" title="How often P10 to P90 held what came: 80 is right">Inside 80 %, %</th>
        <th class="r">Targets</th>
      </tr></thead>
      <tbody>
        {props.of.horizons.map((h) => (
          <tr key={h.lead_s}>
            <th scope="row">{duration(h.lead_s)}</th>
            <td class="num r">{number(h.nmae_pct, 1)}</td>
            <td class="num r">{unknown(h.naive_pct, 1)}</td>
            <td class="num r">{unknown(h.skill_pct, 0)}</td>
            <td class="num r">{number(h.bias_kw, 0)}</td>
            <td class="num r">{number(h.coverage_80_pct, 0)}</td>
            <td class="num r">{number(h.count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
