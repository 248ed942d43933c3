// Plan review: everything an approval rests on, and the approval itself.
import { useEffect, useState } from "preact/hooks";
import type { PlanDetail, PlanRow, Request } from "../api";
import {
  countdown, duration, heldWords, kw, minuteOf, number, plural, pu, shortDigest, signedKw, SITE_TIME, utcOf,
} from "../format";
import { approvalBlocks, isOpen, isRunning } from "../judge";
import { Panel, PlanChip, Reasons, Time } from "../parts/bits";
import { ApproveDialog, BreakGlassDialog, isEmergency, RejectDialog, type Decision } from "../parts/decide";
import { Legend } from "../parts/feederinfo";
import { EffectBar } from "../parts/headbar";
import { BeforeAfter } from "../parts/headtrend";
import { LadderTable, Tally } from "../parts/ladderview";
import { Newer } from "../parts/newer";
import { OneLine } from "../parts/oneline";
import { CheckTable, CommandTable, InWords, WhyPanels } from "../parts/plantables";
import { href } from "../router";
import { useCommands } from "../state/commands";
import { planNode, planResource, voltagePairs, type Overlay } from "../state/looks";
import { forget, keyOf, plans, want } from "../state/plandetail";
import { leftNow } from "../state/stale";
import { announcement, feeder, live, second, session, state } from "../state/store";
import { controlWords } from "./plans";

export function Review(props: { id: string }) {
  const l = live.value;
  const row = l?.plans.find((p) => p.id === props.id);
  const kept = plans.value[props.id];
  const key = row ? keyOf(row) : "as it was";
  useEffect(() => {
    // A plan that the stream no longer lists has ended: ask once more how.
    if (!row) forget(props.id);
    void want(props.id, key);
  }, [props.id, key]);
  if (!kept?.detail) {
    return kept?.problem
      ? <p class="failure" role="alert">{kept.problem} <a href={href("plans")}>All plans</a></p>
      : <p class="waiting" role="status">Loading {props.id}…</p>;
  }
  return <Sheet plan={kept.detail} row={row} problem={kept.problem} />;
}

function Sheet(props: { plan: PlanDetail; row: PlanRow | undefined; problem: string }) {
  const { plan, row } = props;
  const [question, setQuestion] = useState<Decision | null>(null);
  const [told, setWords] = useState("");
  const [toldOf, setToldOf] = useState("");
  const l = live.value;
  const current: PlanRow = row ?? plan;
  const setTold = (words: string, of: string = current.state): void => {
    setWords(words);
    setToldOf(of);
  };
  const executing = !isOpen(current) && !["rejected", "expired", "void"].includes(current.state);
  const commands = useCommands(executing ? plan.id : null);
  const reload = (why: string): void => {
    setQuestion(null);
    setTold(`${why} The plan has been loaded again: read it before you decide.`);
    announcement.value = why;
    forget(plan.id);
    void want(plan.id, `again ${performance.now()}`);
  };
  // What was said about an earlier state is not true of the next one.
  useEffect(() => {
    if (told && toldOf !== current.state) {
      setTold("");
      announcement.value = `Plan ${plan.id} is ${current.state}.`;
    }
  }, [current.state]);
  // Other figures under the same name: nobody goes on with the question that was about the old ones.
  const [shown, setShown] = useState(plan.digest);
  useEffect(() => {
    if (shown === plan.digest) return;
    setShown(plan.digest);
    setQuestion(null);
    if (!told) setTold("The plan has changed while it was on the screen: read it again before you decide.");
  }, [plan.digest]);
  const done = (words: string, after: string): void => {
    setQuestion(null);
    setTold(words, after);
    announcement.value = words;
  };
  return (
    <>
      <Head plan={plan} row={current} onAsk={(q) => {
        setTold("");
        setQuestion(q);
      }} told={told || props.problem} />
      <div class={`review-left ${executing ? "executing" : ""}`}>
        <OverlayPanel plan={plan} />
        <Panel title="Feeder head without and with the plan, kW" class="chart-panel">
          <div class="fill"><BeforeAfter plan={plan} live={l} /></div>
        </Panel>
      </div>
      <div class="review-right" tabIndex={0} role="region" aria-label="Plan details">
        {executing ? (
          <Panel title="Execution" class="execution" aside={commands.rows ? (
            <span class="note">{plural(commands.rows.length, "command")} ordered so far, the plan moves {plural(plan.rows.length, "device")}</span>
          ) : null}>
            {l?.effect?.plan === plan.id ? <EffectBar effect={l.effect} /> : null}
            {commands.problem ? <p class="failure">{commands.problem}</p> : null}
            <div class="dims">{commands.rows ? <><Tally rows={commands.rows} /><LadderTable rows={commands.rows} /></> : "Loading…"}</div>
          </Panel>
        ) : null}
        <CheckTable plan={plan} feeder={feeder.value} />
        {executing ? null : <CommandTable plan={plan} live={l} />}
        <InWords plan={plan} />
        <WhyPanels plan={plan} />
        {executing ? <CommandTable plan={plan} live={l} /> : null}
        <Origin plan={plan} />
      </div>
      {question === "approve" ? (
        <ApproveDialog plan={plan} onClose={() => setQuestion(null)} onDone={done} onMoved={reload} />
      ) : null}
      {question === "break-glass" ? (
        <BreakGlassDialog plan={plan} onClose={() => setQuestion(null)} onDone={done} onMoved={reload} />
      ) : null}
      {question === "reject" ? (
        <RejectDialog plan={plan} onClose={() => setQuestion(null)} onDone={done} onMoved={reload} />
      ) : null}
    </>
  );
}

function Head(props: {
  plan: PlanDetail; row: PlanRow; told: string; onAsk: (q: Decision) => void;
}) {
  const { plan, row } = props;
  const me = session.value;
  const l = live.value;
  const held = l?.cycle?.held?.plan === plan.id ? l.cycle.held : null;
  const left = l ? leftNow(row.expires_in_s, l.rx, second.value) : null;
  const open = isOpen(row);
  // A plan that ends before the eyes keeps its buttons, disabled and with the reason.
  const [wasOpen] = useState(open);
  const offered = open || (wasOpen && (row.state === "expired" || row.state === "void"));
  const blocks = me ? approvalBlocks({
    plan, row, live: state.value, frame: l, session: me, left_s: left,
  }) : ["Not signed in."];
  const may = me?.may.includes("approve") ?? false;
  return (
    <section class="panel review-head" aria-label="The plan and the decision">
      <div class="review-title">
        <h1>Plan {plan.id} <span class="version">v{plan.version}</span> <PlanChip state={row.state} /></h1>
        <p class="small">
          {row.reason && !isRunning(row) ? `${row.reason}. ` : ""}{plan.requests.length > 0 ? `Answers ${askedFor(plan.requests, l?.requests ?? [])}. ` : ""}
          Digest <span class="mono" title={plan.digest}>{shortDigest(plan.digest)}</span>
        </p>
      </div>
      <dl class="facts">
        <Fact name="Net at the head"><b class="num big">{signedKw(-plan.net_kw)}</b> kW</Fact>
        <Fact name="Controls"><b class="num big">{number(plan.rows.length)}</b> <span class="small">{controlWords(plan)}</span></Fact>
        <Fact name="If commands fail">{plan.on_failure}</Fact>
        <Fact name="Customers"><b class="num big">{number(plan.customers)}</b></Fact>
        <Fact name="Cost"><b class="num big">{number(plan.cost, 2)}</b></Fact>
        <Fact name="Approvals"><Signatures plan={plan} row={row} /></Fact>
      </dl>
      <div class="decision">
        {open ? (
          <p class="countdown">expires in <b class={`num ${left !== null && left < 60 ? "soon" : ""}`} role="timer">{countdown(left)}</b></p>
        ) : null}
        {offered ? (
          <div class="actions">
            <button type="button" class="primary" disabled={blocks.length > 0} aria-describedby="blocks"
              onClick={() => props.onAsk("approve")}>Approve…</button>
            <button type="button" disabled={!may || !open} onClick={() => props.onAsk("reject")}>Reject…</button>
            {isEmergency(plan) ? (
              <button type="button" disabled={blocks.length > 0} title="Emergency: one person releases it, with a reason (SG-11)"
                onClick={() => props.onAsk("break-glass")}>Break glass…</button>
            ) : null}
          </div>
        ) : null}
      </div>
      {props.told ? <p class="told">{props.told}</p> : null}
      <Newer plan={row} />
      {held && l ? <Reasons title={heldWords(held, l.at)} list={[held.reason]} class="blocked" /> : null}
      {open && plan.left_to_people.length > 0 ? <Reasons title="Closed loop leaves it to people:" list={plan.left_to_people} /> : null}
      {offered ? <div id="blocks"><Reasons title="You can not approve this now:" list={blocks} class="blocked" /></div> : null}
    </section>
  );
}

/** By name and event; what is over has only its id left. */
function askedFor(ids: string[], open: Request[]): string {
  const names = ids.map((id) => {
    const found = open.find((r) => r.id === id);
    return found ? `${found.name} (${found.event_id})` : id;
  });
  return [...new Set(names)].join(", ");
}

function Fact(props: { name: string; children: preact.ComponentChildren }) {
  return <div><dt>{props.name}</dt><dd>{props.children}</dd></div>;
}

function Signatures(props: { plan: PlanDetail; row: PlanRow }) {
  const { plan, row } = props;
  const missing = Math.max(0, plan.approvals_needed - plan.approved_by.length);
  return (
    <span class="signatures">
      {plan.approved_by.map((a) => (
        <span key={a.by} class="signature given" title={utcOf(a.at)}>✓ {a.by} {a.standing ? "by the envelope" : ""} <Time at={a.at} /></span>
      ))}
      {isOpen(row) ? Array.from({ length: missing }, (_, i) => (
        <span key={i} class="signature">○ {plan.approved_by.length + i === 0 ? "first person" : "second person"}</span>
      )) : null}
      {missing > 0 && !isOpen(row) ? <span class="small">{number(row.approvals)} of {number(row.approvals_needed)}</span> : null}
    </span>
  );
}

const OVERLAYS: { key: Overlay; name: string }[] = [
  { key: "before", name: "Without plan" }, { key: "after", name: "With plan" }, { key: "change", name: "Change" },
];

function OverlayPanel(props: { plan: PlanDetail }) {
  const { plan } = props;
  const f = feeder.value;
  const [overlay, setOverlay] = useState<Overlay>("after");
  if (!f) return <Panel title="Voltage">Loading the feeder…</Panel>;
  const pairs = voltagePairs(plan, f.voltage_min_pu, f.voltage_max_pu);
  return (
    <Panel title={<span title="Voltages by AC power flow, in the interval of the deepest action">Voltages</span>} class="overlay-panel" aside={
      <>
        <Legend overlay />
        <span class="segmented" role="group" aria-label="Voltages shown">
          {OVERLAYS.map((o) => (
            <button key={o.key} type="button" aria-pressed={overlay === o.key} onClick={() => setOverlay(o.key)}>{o.name}</button>
          ))}
        </span>
      </>
    }>
      <OneLine feeder={f} name={`Voltages of plan ${plan.id}`}
        look={(id) => planNode(f, pairs, overlay, id)}
        resource={(id) => planResource(plan, id, live.value)}
        card={(id) => <PairCard plan={plan} node={id} />}
        say={(id) => {
          const p = pairs.get(id);
          return p ? `Node ${id}: without plan ${pu(p.before)}, with plan ${pu(p.after)}` : `Node ${id}: not in the check`;
        }} />
    </Panel>
  );
}

function PairCard(props: { plan: PlanDetail; node: string | null }) {
  const { plan, node } = props;
  if (node === null) {
    return plan.check ? (
      <>
        <h3>Lowest voltage {pu(plan.check.before.worst_voltage_pu)} → {pu(plan.check.after.worst_voltage_pu)} pu</h3>
        <p class="small">at {plan.check.before.worst_voltage_at}, then at {plan.check.after.worst_voltage_at}</p>
        <p class="small">Violations {number(plan.check.before.violations)} → {number(plan.check.after.violations)}</p>
        <p class="small hint">Point at a node for its phases; bars under "Change" are voltage rises, 8 px for 0.01 pu.</p>
      </>
    ) : <p class="small">No AC check.</p>;
  }
  const rows = plan.rows.filter((r) => r.node === node);
  return (
    <>
      <h3>Node {node}</h3>
      {plan.voltages.filter((v) => v.node === node).map((v) => (
        <p key={v.phase}>{v.phase} <span class="num">{pu(v.before_pu)} → <b>{pu(v.after_pu)}</b></span> pu</p>
      ))}
      {rows.map((r) => <p key={r.resource} class="small"><b>{r.name}</b> {kw(r.now_kw)} → {kw(r.to_kw)} kW, {signedKw(-r.effect_kw)} kW at the head</p>)}
      {plan.excluded.filter((e) => feeder.value?.resources.some((r) => r.id === e.resource && r.node === node)).map((e) => (
        <p key={e.resource} class="small">{e.name} excluded: {e.reason}</p>
      ))}
    </>
  );
}

function Origin(props: { plan: PlanDetail }) {
  const p = props.plan;
  return (
    <Panel title="Where it comes from">
      <dl class="pairs">
        <dt>Proposed by</dt><dd>{p.proposed_by}, <Time at={p.created} /></dd>
        <dt>Input</dt><dd>snapshot {number(p.snapshot_revision)}, {plural(p.horizon.count, "interval")} of {duration(p.horizon.step_s)} from {minuteOf(p.horizon.start)} {SITE_TIME}</dd>
        <dt>Solver</dt><dd>{p.solver}: {p.status} in {number(p.solve_s, 2)} s, {plural(p.rounds, "round")} with the AC check</dd>
        <dt>Digest</dt><dd class="mono wrap">{p.digest}</dd>
        {session.value?.may.includes("audit") ? (
          <><dt>Evidence</dt><dd><a href={`/api/v1/evidence/${encodeURIComponent(p.id)}`}>signed pack (zip)</a></dd></>
        ) : null}
      </dl>
    </Panel>
  );
}
