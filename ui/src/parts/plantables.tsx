// A plan in tables: the AC check, the commands in order, what limits it and what it leaves out.
import type { Case, Feeder, FindingKind, PlanDetail } from "../api";
import { kw, minuteOf, number, pct, plural, pu, signedKw, SITE_TIME, UNKNOWN, utcOf } from "../format";
import { voltageSeverity } from "../judge";
import { runs, type Run } from "../runs";
import type { Live } from "../state/merge";
import { Empty, Panel, Reasons } from "./bits";
import { GLYPH, KIND_WORD, ResourceGlyph } from "./glyphs";

export function CheckTable(props: { plan: PlanDetail; feeder: Feeder | null }) {
  const c = props.plan.check;
  if (c === null) {
    return <Panel title="AC check"><Reasons title="There is no AC check of this plan." list={[props.plan.status]} class="blocked" /></Panel>;
  }
  const low = props.feeder?.voltage_min_pu ?? 0;
  const high = props.feeder?.voltage_max_pu ?? 9;
  const volt = (v: number): string => `s-${voltageSeverity(v, low, high)}`;
  const load = (v: number): string => (v > 100 ? "s-alarm" : v > 95 ? "s-warn" : "");
  const lines: { name: string; of: (x: Case) => string; at: (x: Case) => string; look: (x: Case) => string }[] = [
    { name: "Lowest voltage, pu", of: (x) => pu(x.worst_voltage_pu), at: (x) => x.worst_voltage_at, look: (x) => volt(x.worst_voltage_pu) },
    { name: "Highest voltage, pu", of: (x) => pu(x.highest_voltage_pu), at: (x) => x.highest_voltage_at, look: (x) => volt(x.highest_voltage_pu) },
    { name: "Highest loading, %", of: (x) => pct(x.worst_loading_pct, 1), at: (x) => x.worst_loading_at, look: (x) => load(x.worst_loading_pct) },
    { name: "Violations", of: (x) => number(x.violations), at: () => "", look: (x) => (x.violations > 0 ? "s-alarm" : "") },
    { name: "Losses, kW", of: (x) => number(x.losses_kw, 1), at: () => "", look: () => "" },
  ];
  const cell = (x: Case, line: (typeof lines)[number]) => x.converged ? (
    <>
      <td class={`num r ${line.look(x)}`}>{line.look(x) === "s-alarm" ? "▲ " : line.look(x) === "s-warn" ? "◆ " : ""}{line.of(x)}</td>
      <td class="small">{line.at(x)}</td>
    </>
  ) : <><td class="num r">{UNKNOWN}</td><td class="small">did not converge</td></>;
  const left = c.after.converged ? c.after.violations : 0;
  return (
    <Panel title="AC check" aside={
      <span class={`chip ${!c.ok ? "bad-chip" : left > 0 ? "warn-chip" : ""}`}
        title="Passed: the plan makes no violation and worsens none that is there without it">
        {!c.ok ? "▲ not passed" : left > 0 ? `◆ passed, ${plural(left, "violation")} of ${number(c.before.violations)} left` : "✓ passed"}
      </span>
    }>
      <table class="data check">
        <thead><tr><th>{c.engine}</th><th class="r">Without</th><th>at</th><th class="r">With plan</th><th>at</th></tr></thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.name}><th scope="row">{line.name}</th>{cell(c.before, line)}{cell(c.after, line)}</tr>
          ))}
        </tbody>
      </table>
      <p class="small">The plan's linear model differs from the power flow by {c.linear_error_pu < 0.00005 ? "less than 0.0001" : `at most ${number(c.linear_error_pu, 4)}`} pu.</p>
      <Reasons title="The check says:" list={c.reasons} class="blocked" />
    </Panel>
  );
}

/** A setpoint series as steps; the line is zero. */
function Sparkline(props: { values: number[] }) {
  const { values } = props;
  const top = Math.max(0, ...values) || (Math.min(...values) < 0 ? 0 : 1);
  const bottom = Math.min(0, ...values);
  const y = (v: number): number => 15 - (14 * (v - bottom)) / (top - bottom || 1);
  const w = 72 / Math.max(1, values.length);
  const d = values.map((v, k) => `${k === 0 ? "M" : "V"}${k === 0 ? `0 ${y(v)}` : y(v)}H${(k + 1) * w}`).join("");
  return (
    <svg class="sparkline" width="72" height="16" aria-hidden="true">
      <line x1="0" x2="72" y1={y(0)} y2={y(0)} /><path d={d} />
    </svg>
  );
}

export function CommandTable(props: { plan: PlanDetail; live: Live | null }) {
  const { plan } = props;
  return (
    <Panel title={`Commands in order: ${number(plan.rows.length)}`} aside={<span class="note">intervals from {minuteOf(plan.horizon.start)} {SITE_TIME}</span>}>
      {plan.rows.length === 0 ? <Empty>This plan moves nothing.</Empty> : (
        <table class="data commands">
          <thead><tr><th class="r">#</th><th>Device</th><th>Node</th><th>Area</th><th class="r">Now → to, kW</th><th class="r">At head, kW</th><th>Over the horizon</th><th>How</th></tr></thead>
          <tbody>
            {plan.rows.map((r, i) => (
              <tr key={r.resource}>
                <td class="num r">{i + 1}</td>
                <th scope="row" title={r.resource}><svg width={GLYPH + 2} height={GLYPH + 1} aria-hidden="true"><ResourceGlyph kind={r.kind} x={1} y={0.5} state="idle" /></svg> {r.name}<span class="sr"> {KIND_WORD[r.kind]}</span></th>
                <td>{r.node}</td><td>{r.area}</td>
                <td class="num r">{kw(r.now_kw)} → <b>{kw(r.to_kw)}</b>{r.starts !== plan.horizon.start && <span class="note"> from {minuteOf(r.starts)}</span>}</td>
                <td class="num r">{signedKw(-r.effect_kw)}</td>
                <td title={`kW by interval: ${r.series_kw.map((v) => kw(v)).join(" ")}`}><Sparkline values={r.series_kw.map((v) => v ?? r.now_kw ?? 0)} /></td>
                <td class="small how">{r.how}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function when(run: Run): string {
  if (run.intervals === 1) return minuteOf(run.first);
  return `${plural(run.intervals, "interval")}, ${minuteOf(run.first)} to ${minuteOf(run.last)}`;
}

const QUESTIONS: { kind: FindingKind; title: string }[] = [
  { kind: "reason", title: "What it is for" },
  { kind: "binding", title: "What holds it back" }, { kind: "shortfall", title: "What is missed" },
  { kind: "conflict", title: "Why not more" }, { kind: "remedy", title: "What would help" },
  { kind: "excluded", title: "Who is left out" }, { kind: "forecast", title: "If the forecast is wrong" },
  { kind: "field", title: "What the field says" },
];

/** The plan in sentences, in the order in which a person asks; as `gridctl plan explain`. */
export function InWords(props: { plan: PlanDetail }) {
  const asked = QUESTIONS.map((q) => ({ ...q, said: props.plan.findings.filter((f) => f.kind === q.kind) }))
    .filter((q) => q.said.length > 0);
  return (
    <Panel title="Why it is so" class="in-words">
      {asked.length === 0 ? <Empty>Nothing holds it back, nothing is missed, nobody is left out.</Empty> : asked.map((q) => (
        <div key={q.kind}>
          <h4>{q.title}</h4>
          <ul class="said">{q.said.map((f) => <li key={f.text}>{f.text}</li>)}</ul>
        </div>
      ))}
    </Panel>
  );
}

export function WhyPanels(props: { plan: PlanDetail }) {
  const { plan } = props;
  const short = runs(plan.shortfalls.map((s) => ({ ...s, figure: s.amount })));
  const binding = runs(plan.bindings.map((b) => ({ ...b, figure: b.price })));
  return (
    <div class="why">
      <Panel title={`Excluded: ${number(plan.excluded.length)}`}>
        {plan.excluded.length === 0 ? <Empty>No device is left out.</Empty> : (
          <ul class="rows">{plan.excluded.map((e) => <li key={e.resource}><span class="row-main"><b>{e.name}</b> {e.reason}</span></li>)}</ul>
        )}
      </Panel>
      <Panel title={`What limits it: ${number(binding.length)}`}>
        {short.length > 0 ? (
          <Reasons class="blocked" title={`${plural(short.length, "target")} not met in full:`}
            list={short.map((s) => `${s.limit} at ${s.where}, ${when(s)}: up to ${number(s.most, s.unit === "kW" ? 0 : 3)} ${s.unit} short`)} />
        ) : null}
        {plan.bindings.length === 0 ? <Empty>No limit binds.</Empty> : (
          <ul class="rows">
            {binding.map((b) => (
              <li key={`${b.limit} ${b.where} ${b.unit}`}>
                <span class="row-main">{b.limit} <span class="small">at {b.where}, <time title={utcOf(b.first)}>{when(b)}</time></span></span>
                <span class="num small" title="What one unit more of this limit would save, at most">{number(b.most, 2)} {b.unit}</span>
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}
