import { useState } from "preact/hooks";
import type { Alarm, Feeder, LinkState, PlanRow, Request } from "../api";
import {
  countdown, heldShort, heldWords, kw, minuteOf, number, pct, plural, pu, sentence, signedKw, UNKNOWN,
} from "../format";
import { headSeverity, isOpen, isRunning } from "../judge";
import { Empty, Panel, PlanChip, Priority, Reasons, Time, Value } from "../parts/bits";
import { Legend, NodeCard, NodeTable, say } from "../parts/feederinfo";
import { EffectBar, HeadBar } from "../parts/headbar";
import { HeadTrend } from "../parts/headtrend";
import { OneLine } from "../parts/oneline";
import { href, route } from "../router";
import { liveNode, liveResource } from "../state/looks";
import { seconds, type Live } from "../state/merge";
import { keyOf, plans, want } from "../state/plandetail";
import { leftNow } from "../state/stale";
import { feeder, live, second } from "../state/store";

export function Overview() {
  const l = live.value;
  const f = feeder.value;
  if (!l || !f) return <p class="waiting" role="status">Waiting for the first data…</p>;
  return (
    <>
      <div class="overview-main">
        <Strip live={l} feeder={f} />
        <FeederPanel live={l} feeder={f} />
        <TrendPanel live={l} />
      </div>
      <aside class="overview-side dims" tabIndex={route.value[0] === "wall" ? 0 : undefined} aria-label="What wants attention">
        <PlansPanel live={l} />
        <RequestsPanel list={l.requests} />
        <AlarmsPanel live={l} />
        <LinksPanel links={l.links} />
      </aside>
    </>
  );
}

function Strip(props: { live: Live; feeder: Feeder }) {
  const { live: l, feeder: f } = props;
  const nowMs = second.value;
  const head_age = l.head.age_s + (nowMs - l.rx) / 1000;
  const severity = headSeverity(l.head.kw, l.head.limit_kw);
  const margin = l.head.kw === null ? null : l.head.limit_kw - l.head.kw;
  const next = l.forecast?.p10[0] !== undefined && l.forecast.p90[0] !== undefined
    ? [l.forecast.p10[0], l.forecast.p90[0]] as [number, number] : null;
  const v = extremes(l, f);
  const r = dispatched(l);
  const peak = peakOf(l);
  const cycle = cycleWords(l.stopped ? "stopped" : l.cycle?.status);
  return (
    <section class="strip dims" aria-label="Key figures">
      <div class="tile head">
        <h3>Feeder head import</h3>
        <p><Value class={`big s-${severity}`} text={kw(l.head.kw)} unit={`kW of ${kw(l.head.limit_kw)}`}
          quality={l.head.quality} age_s={head_age} />
          <span class="margin">{margin === null ? "" : margin < 0 ? `▲ ${kw(-margin)} kW over` : `${kw(margin)} kW free`}</span></p>
        <HeadBar value_kw={l.head.kw} limit_kw={l.head.limit_kw} span={next} />
      </div>
      <div class="tile">
        <h3>Forecast peak</h3>
        <p><Value class={peak && peak.p90 > l.head.limit_kw ? "big s-warn" : "big"} text={kw(peak?.p50)} unit="kW" /></p>
        <p class="small">{peak ? `at ${minuteOf(peak.at)}, P90 ${kw(peak.p90)}` : "no forecast"}</p>
      </div>
      <div class="tile">
        <h3>Voltage, pu</h3>
        <p><Value class="big" text={`${pu(v.low)} – ${pu(v.high)}`} /></p>
        <p class="small">{v.out > 0 ? `▲ ${number(v.out)} outside ` : "all within "}
          {number(f.voltage_min_pu, 2)} – {number(f.voltage_max_pu, 2)}</p>
      </div>
      <div class="tile">
        <h3>Dispatch</h3>
        <p><Value class="big" text={number(r.confirmed)} unit={`of ${number(r.intended)} confirmed`} /></p>
        <p class="small">{number(r.usable)} of {number(r.all)} usable</p>
      </div>
      <div class="tile planning">
        <h3>Planning cycle</h3>
        <p class={`cycle ${cycle.is_warning ? "s-warn" : ""}`}>{cycle.words}</p>
        {l.cycle?.held ? <p class="small s-warn" title={heldWords(l.cycle.held, l.at)}>{heldShort(l.cycle.held, l.at)}</p> : null}
        <p class="small" title={l.cycle?.reason}>{l.cycle ? <><Time at={l.cycle.at} /> {l.cycle.reason}</> : "has not run yet"}</p>
      </div>
    </section>
  );
}

/** What the planner's last word means for the operator. */
function cycleWords(status: string | undefined): { words: string; is_warning: boolean } {
  const known: Record<string, string> = {
    optimal: "Plan proposed", feasible: "Plan proposed", waiting: "Plan waits", active: "Plan is active",
    not_needed: "No plan needed", no_setpoints: "No plan needed", rejected: "Plan was rejected",
  };
  if (status === undefined) return { words: UNKNOWN, is_warning: false };
  const words = known[status];
  return words ? { words, is_warning: false } : { words: `◆ ${status.replaceAll("_", " ")}`, is_warning: true };
}

function extremes(l: Live, f: Feeder) {
  let [low, high, out] = [Infinity, -Infinity, 0];
  for (const n of Object.values(l.nodes)) {
    if (n.q !== "good") continue;
    const known = n.v.filter((x) => x !== null);
    low = Math.min(low, ...known);
    high = Math.max(high, ...known);
    if (known.some((x) => x < f.voltage_min_pu || x > f.voltage_max_pu)) out += 1;
  }
  return { low: Number.isFinite(low) ? low : null, high: Number.isFinite(high) ? high : null, out };
}

function dispatched(l: Live) {
  const all = Object.keys(l.resources);
  const looks = all.map((id) => liveResource(l, id).state);
  return {
    all: all.length,
    confirmed: looks.filter((s) => s === "confirmed").length,
    intended: looks.filter((s) => s === "confirmed" || s === "intended").length,
    usable: looks.filter((s) => s !== "excluded" && s !== "unknown").length,
  };
}

function peakOf(l: Live) {
  const f = l.forecast;
  if (!f || f.p50.length === 0) return null;
  const k = f.p50.reduce((m, v, i) => (v > (f.p50[m] ?? 0) ? i : m), 0);
  return {
    p50: f.p50[k] ?? null, p90: Math.max(...f.p90),
    at: new Date((seconds(f.start) + k * f.step_s) * 1000).toISOString(),
  };
}

function FeederPanel(props: { live: Live; feeder: Feeder }) {
  const { live: l, feeder: f } = props;
  const [table, setTable] = useState(false);
  const nowMs = second.value;
  return (
    <Panel title={`Feeder ${f.name}`} class="feeder-panel" aside={
      <>
        <Legend />
        <span class="segmented" role="group" aria-label="Show the feeder as">
          <button type="button" aria-pressed={!table} onClick={() => setTable(false)}>Diagram</button>
          <button type="button" aria-pressed={table} onClick={() => setTable(true)}>Table</button>
        </span>
      </>
    }>
      <div class="dims fill">
        {table ? <NodeTable feeder={f} live={l} nowMs={nowMs} /> : (
          <OneLine feeder={f} name={`One-line diagram of ${f.name}`}
            look={(id) => liveNode(f, l, id, nowMs)} resource={(id) => liveResource(l, id)}
            card={(id) => <NodeCard feeder={f} live={l} node={id} nowMs={nowMs} />}
            say={(id) => say(f, l, id)} />
        )}
      </div>
    </Panel>
  );
}

function TrendPanel(props: { live: Live }) {
  const l = props.live;
  const row = l.plans.find(isRunning) ?? l.plans.find(isOpen);
  if (row) void want(row.id, keyOf(row));
  const kept = row ? plans.value[row.id]?.detail ?? null : null;
  const f = l.forecast;
  return (
    <Panel title="Feeder head, kW" class="trend-panel" aside={
      <span class="note">
        {f ? `${f.method}${f.nmae_pct === null ? "" : `, error ${pct(f.nmae_pct, 1)} %`}` : "no forecast yet"}
      </span>
    }>
      <div class="dims fill"><HeadTrend live={l} plan={kept} /></div>
    </Panel>
  );
}

function PlansPanel(props: { live: Live }) {
  const l = props.live;
  const running = l.plans.filter(isRunning);
  const open = l.plans.filter(isOpen);
  return (
    <Panel title="Plans" class="plans-panel" aside={<a href={href("plans")}>All plans</a>}>
      <Reasons title="Nothing can be approved or released now:" list={l.blocked} class="blocked" />
      {[...running, ...open].map((p) => <PlanCard key={p.id} plan={p} live={l} />)}
      {running.length + open.length === 0 ? <Empty>No plan waits and none is active.</Empty> : null}
    </Panel>
  );
}

function PlanCard(props: { plan: PlanRow; live: Live }) {
  const { plan: p, live: l } = props;
  const left = leftNow(p.expires_in_s, l.rx, second.value);
  const waiting = isOpen(p);
  const count = Object.values(p.controls).reduce((a, b) => a + b, 0);
  return (
    <article class={`plan-card ${waiting ? "waiting" : "running"}`}>
      <header>
        <h3>{p.id} <span class="version">v{p.version}</span></h3>
        <PlanChip state={p.state} />
      </header>
      <p class="figures">
        <b class="num">{signedKw(-p.net_kw)} kW</b> {plural(count, "control")}, {plural(p.customers, "customer")}
      </p>
      {p.reason && !isRunning(p) ? <p class="small">{p.reason}</p> : null}
      {!waiting && l.effect?.plan === p.id ? <EffectBar effect={l.effect} /> : null}
      <Reasons title="Blocked:" list={p.blocked} class="blocked" />
      <footer>
        {waiting ? (
          <span class="small">{number(p.approvals)} of {number(p.approvals_needed)} approvals
            {left === null ? "" : <>, expires in <b class={`num ${left < 60 ? "soon" : ""}`}>{countdown(left)}</b></>}</span>
        ) : <span class="small">{left === null ? "" : `ends in ${countdown(left)}`}</span>}
        <a class={`button ${waiting ? "primary" : ""}`} href={href("plans", p.id)}>
          {waiting ? "Review" : "Execution"}
        </a>
      </footer>
    </article>
  );
}

function RequestsPanel(props: { list: Request[] }) {
  return (
    <Panel title="Demand events">
      {props.list.length === 0 ? <Empty>No event is open.</Empty> : (
        <ul class="rows">
          {props.list.map((r) => (
            <li key={r.id}>
              <span class="row-main"><b>{r.name}</b> <span class="small">{r.source}</span></span>
              <span class={`chip req-${r.state}`}>{r.state}</span>
              <span class="small row-sub"><b class="num">{r.export_max_kw === null ? `${signedKw(-r.target_kw)} kW` : `export at most ${number(r.export_max_kw)} kW`}</b> {minuteOf(r.start)} to {minuteOf(r.end)}</span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function AlarmsPanel(props: { live: Live }) {
  const a = props.live.alarms;
  return (
    <Panel title={`Alarms: ${number(a.active)} active${a.returned ? `, ${number(a.returned)} returned` : ""}`} aside={<a href={href("alarms")}>All alarms</a>}>
      {a.top.length === 0 ? <Empty>No alarm.</Empty> : (
        <ul class="rows">{a.top.map((x) => <AlarmLine key={x.key} alarm={x} />)}</ul>
      )}
    </Panel>
  );
}

function AlarmLine(props: { alarm: Alarm }) {
  const a = props.alarm;
  return (
    <li class={`alarm-line ${a.state}`}>
      <span class="row-main"><Priority of={a.priority} /> {sentence(a.text)}</span>
      <span class="small"><Time at={a.raised} /></span>
      {a.state === "unacked" ? <span class="small row-sub">Not acknowledged. {sentence(a.response)}</span> : null}
      {a.state === "cleared_unacked" ? <span class="small row-sub">Returned to normal <Time at={a.cleared} />, not acknowledged.</span> : null}
    </li>
  );
}

function LinksPanel(props: { links: LinkState[] }) {
  return (
    <Panel title="Field links" aside={<a href={href("comms")}>Details</a>}>
      <ul class="rows">
        {props.links.map((k) => (
          <li key={k.id}>
            <span class="row-main"><b>{k.id}</b> <span class="small">{k.protocol}, {plural(k.points, "point")}</span></span>
            <span class={`chip link ${k.state === "up" ? "ok" : "bad"}`}><i aria-hidden="true" />{k.state}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
