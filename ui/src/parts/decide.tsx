// The decision dialogs (SG-06, SG-09, SG-10). They state the act; they send the digest that was shown.
import { useState } from "preact/hooks";
import type { PlanDetail, Problem } from "../api";
import { countdown, minuteOf, number, plural, shortDigest, signedKw, SITE_TIME } from "../format";
import { approvalBlocks } from "../judge";
import { call, explain } from "../net";
import { keep } from "../state/plandetail";
import { leftNow } from "../state/stale";
import { live, second, session, state } from "../state/store";
import { controlWords } from "../views/plans";
import { Reasons } from "./bits";
import { Dialog, Failure } from "./dialog";
import { Newer } from "./newer";

export type Decision = "approve" | "reject" | "break-glass";

const BREAK_GLASS_REASON_MIN = 20;

/** Limits are broken without the plan, fewer with it, and one person is not enough (SG-11). */
export function isEmergency(plan: PlanDetail): boolean {
  const check = plan.check;
  return check !== null && check.before.violations > check.after.violations && plan.approvals_needed > 1;
}

interface DecisionProps {
  plan: PlanDetail;
  onClose: () => void;
  /** `after`: the state of the plan that the words are about. */
  onDone: (words: string, after: string) => void;
  /** The plan is no longer what was shown: the server said 409. */
  onMoved: (why: string) => void;
}

function refused(problem: Problem, props: DecisionProps, show: (text: string) => void): void {
  if (problem.status === 409) props.onMoved(`Not done. ${explain(problem)}`);
  else show(explain(problem));
}

/** When the plan first and last changes the feeder head. */
function span(plan: PlanDetail): string {
  const moved = plan.head_before_kw.map((b, k) => Math.abs(b - (plan.head_after_kw[k] ?? b)) > 0.5);
  const at = (k: number): string =>
    minuteOf(new Date(new Date(plan.horizon.start).getTime() + k * plan.horizon.step_s * 1000).toISOString());
  const first = moved.indexOf(true);
  return first < 0 ? "" : ` from ${at(first)} to ${at(moved.lastIndexOf(true) + 1)} ${SITE_TIME}`;
}

export function ApproveDialog(props: DecisionProps) {
  const { plan } = props;
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const l = live.value;
  const row = l?.plans.find((p) => p.id === plan.id);
  const left = l ? leftNow((row ?? plan).expires_in_s, l.rx, second.value) : null;
  const me = session.value;
  const blocks = me ? approvalBlocks({
    plan, row: row ?? plan, live: state.value, frame: l, session: me, left_s: left,
  }) : ["Not signed in."];
  const [read, setRead] = useState<string[]>([]);
  const unread = plan.cautions.filter((c) => !read.includes(c.tag));
  const areas = [...new Set(plan.rows.map((r) => r.area))].sort();
  const large = plan.approvals_needed > 1;
  const last = plan.approved_by.length + 1 >= plan.approvals_needed;
  const approve = async (): Promise<void> => {
    setBusy(true);
    setFailure("");
    const answer = await call<PlanDetail>(
      "POST", `plans/${encodeURIComponent(plan.id)}/approve`,
      { digest: plan.digest, cautions: read },
    );
    setBusy(false);
    if (!answer.ok) {
      refused(answer.problem, props, setFailure);
      return;
    }
    keep(answer.value);
    props.onDone(answer.value.approvals >= answer.value.approvals_needed
      ? "Approved. The commands go out now; watch the ladder."
      : "Your approval is recorded. Nothing is sent until a second person approves.", answer.value.state);
  };
  return (
    <Dialog title={`Approve plan ${plan.id} v${plan.version}?`} onClose={props.onClose}>
      <div class="stack">
        <dl>
          <dt>Action</dt><dd>Change the import at the feeder head by up to <b>{signedKw(-plan.net_kw)} kW</b>{span(plan)}</dd>
          <dt>Commands</dt><dd>{number(plan.rows.length)}: {controlWords(plan)}</dd>
          <dt>Customers</dt><dd>{plural(plan.customers, "customer")}</dd>
          <dt>Areas</dt><dd>{areas.join(", ")}</dd>
          <dt>Approval</dt><dd>
            {large
              ? last ? "Second of two. The commands go out at once." : "First of two. A second person must approve before anything is sent."
              : "One person is enough. The commands go out at once."}
          </dd>
          <dt>Bound to</dt><dd>digest <span class="mono">{shortDigest(plan.digest)}</span>, expires in <span class="num">{countdown(left)}</span></dd>
        </dl>
        <Cautions plan={plan} read={read} onRead={setRead} />
        <Reasons title="You can not approve this now:" list={blocks} class="blocked" />
        <Newer plan={row ?? plan} />
        <Failure text={failure} />
        <div class="actions">
          <button type="button" data-first={large ? "" : undefined} onClick={props.onClose}>Cancel</button>
          <button type="button" class="primary" data-first={large ? undefined : ""} disabled={busy || blocks.length > 0 || unread.length > 0}
            onClick={() => void approve()}>
            {busy ? "Approving…" : `Approve ${plural(plan.rows.length, "command")}, ${signedKw(-plan.net_kw)} kW`}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

/** Tags that warn: each is read and ticked by whoever approves (SG-26). */
function Cautions(props: { plan: PlanDetail; read: string[]; onRead: (read: string[]) => void }) {
  if (props.plan.cautions.length === 0) return null;
  return (
    <fieldset class="cautions">
      <legend>Tags on devices of this plan</legend>
      {props.plan.cautions.map((c) => (
        <label key={c.tag} class="tick">
          <input type="checkbox" checked={props.read.includes(c.tag)} onChange={(e) => {
            const others = props.read.filter((t) => t !== c.tag);
            props.onRead(e.currentTarget.checked ? [...others, c.tag] : others);
          }} /> <span><b>{c.name}</b>: {c.text}. I have read it.</span>
        </label>
      ))}
    </fieldset>
  );
}

export function BreakGlassDialog(props: DecisionProps) {
  const { plan } = props;
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const [reason, setReason] = useState("");
  const [read, setRead] = useState<string[]>([]);
  const short = reason.trim().length < BREAK_GLASS_REASON_MIN || plan.cautions.some((c) => !read.includes(c.tag));
  const release = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    const answer = await call<PlanDetail>(
      "POST", `plans/${encodeURIComponent(plan.id)}/break-glass`,
      { digest: plan.digest, reason: reason.trim(), cautions: read },
    );
    setBusy(false);
    if (!answer.ok) {
      refused(answer.problem, props, setFailure);
      return;
    }
    keep(answer.value);
    props.onDone("Released by you alone. It is an alarm, and the next shift reviews it.", answer.value.state);
  };
  return (
    <Dialog title={`Release plan ${plan.id} alone?`} onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void release(e)}>
        <p><b>Emergency only.</b> {plural(plan.rows.length, "command")}, {signedKw(-plan.net_kw)} kW, {plural(plan.customers, "customer")}:
          without a second person. A priority 1 alarm is raised, and the next shift reviews it.</p>
        <label class="field">Why nobody else can approve ({BREAK_GLASS_REASON_MIN} characters or more)
          <textarea rows={3} required maxLength={400} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Cautions plan={plan} read={read} onRead={setRead} />
        <Failure text={failure} />
        <div class="actions">
          <button type="button" data-first onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary" disabled={busy || short}>{busy ? "Releasing…" : "Break glass and release"}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function RejectDialog(props: DecisionProps) {
  const { plan } = props;
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const [reason, setReason] = useState("");
  const reject = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    const answer = await call<PlanDetail>(
      "POST", `plans/${encodeURIComponent(plan.id)}/reject`, { digest: plan.digest, reason: reason.trim() },
    );
    setBusy(false);
    if (!answer.ok) {
      refused(answer.problem, props, setFailure);
      return;
    }
    keep(answer.value);
    props.onDone("Rejected. The reason is in the audit trail.", answer.value.state);
  };
  return (
    <Dialog title={`Reject plan ${plan.id} v${plan.version}?`} onClose={props.onClose}>
      <form onSubmit={(e) => void reject(e)}>
        <p>None of its {plural(plan.rows.length, "command")} is sent. The next planning cycle may propose again.</p>
        <label class="field">Reason (it goes into the audit trail)
          <textarea rows={3} required minLength={3} maxLength={400} data-first value={reason}
            onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary" disabled={busy || reason.trim().length < 3}>Reject plan</button>
        </div>
      </form>
    </Dialog>
  );
}
