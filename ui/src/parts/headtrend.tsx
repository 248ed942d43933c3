// The feeder head over time: measured, forecast band, limit, and what a plan would make of it.
import type { ForecastState, PlanDetail } from "../api";
import { kw, minuteOf } from "../format";
import { seconds, type Live } from "../state/merge";
import { Chart, type Band, type Line, type Series } from "./chart";

const MEASURED: Line = { name: "measured", colour: "--curve", width: 2 };
const P50: Line = { name: "forecast P50", colour: "--forecast", width: 1.5, dash: [5, 4] };
const BEFORE: Line = { name: "without the plan", colour: "--forecast", width: 1.5, steps: true };
const LIMIT: Line = { name: "limit", colour: "--warn", width: 1.5, dash: [8, 4] };

/** Interval means are drawn at the middle of their intervals. */
function middles(start: string, step_s: number, count: number): number[] {
  return Array.from({ length: count }, (_, k) => seconds(start) + (k + 0.5) * step_s);
}

/** Step curves need the start of each interval and one more point to end the last step. */
function steps(start: string, step_s: number, v: number[]): { t: number[]; v: number[] } {
  const t = v.map((_, k) => seconds(start) + k * step_s);
  const last = v.at(-1);
  if (last === undefined) return { t, v };
  return { t: [...t, seconds(start) + v.length * step_s], v: [...v, last] };
}

function bandOf(f: ForecastState): Band {
  return {
    name: "forecast P10–P90", colour: "--band",
    t: middles(f.start, f.step_s, f.p50.length), low: f.p10, high: f.p90,
  };
}

export function HeadTrend(props: { live: Live; plan: PlanDetail | null }) {
  const { live, plan } = props;
  const f = live.forecast;
  const at = seconds(live.at);
  const end = f ? seconds(f.start) + f.step_s * f.p50.length : at;
  const first = live.trend.t[0] ?? at;
  const series: Series[] = [{ line: MEASURED, t: live.trend.t, v: live.trend.kw }];
  if (f) series.push({ line: P50, t: middles(f.start, f.step_s, f.p50.length), v: f.p50 });
  if (plan) {
    const after = steps(plan.horizon.start, plan.horizon.step_s, plan.head_after_kw);
    series.push({ line: { name: `with ${plan.id}`, colour: "--accent", width: 2, steps: true }, ...after });
  }
  series.push({ line: LIMIT, t: [first, end], v: [live.head.limit_kw, live.head.limit_kw] });
  const peak = f ? f.p50.reduce((m, v, k) => (v > (f.p50[m] ?? 0) ? k : m), 0) : 0;
  const words = f
    ? ` Forecast peak ${kw(f.p50[peak])} kW at ${minuteOf(new Date((seconds(f.start) + peak * f.step_s) * 1000).toISOString())}.`
    : " No forecast.";
  return (
    <Chart series={series} band={f ? bandOf(f) : null} now={at} unit="kW"
      summary={`Feeder head now ${kw(live.head.kw)} kW, limit ${kw(live.head.limit_kw)} kW.${words}`} />
  );
}

export function BeforeAfter(props: { plan: PlanDetail; live: Live | null }) {
  const { plan } = props;
  const { start, step_s } = plan.horizon;
  const before = steps(start, step_s, plan.head_before_kw);
  const after = steps(start, step_s, plan.head_after_kw);
  const end = [before.t[0] ?? 0, before.t.at(-1) ?? 0];
  const series: Series[] = [
    { line: BEFORE, ...before },
    { line: { name: "with the plan", colour: "--accent", width: 2, steps: true }, ...after },
    { line: LIMIT, t: end, v: [plan.limit_kw, plan.limit_kw] },
  ];
  const highest = (v: number[]): string => kw(v.length ? Math.max(...v) : null);
  return (
    <Chart series={series} band={null} unit="kW" now={props.live ? seconds(props.live.at) : null}
      summary={`Highest import without the plan ${highest(plan.head_before_kw)} kW, with it ${highest(plan.head_after_kw)} kW, limit ${kw(plan.limit_kw)} kW.`} />
  );
}
