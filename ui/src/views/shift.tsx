// The shift: modes of the areas, handover, steps by telephone, and how the alarms treat the operator.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { AlarmFigures, AreaMode, Handover, ManualStep } from "../api";
import { duration, number, sentence, SITE_TIME } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Reasons, Time } from "../parts/bits";
import { type Act, AllowDialog, ClosedLoop, EnvelopeView } from "../parts/closedloop";
import { Failure } from "../parts/dialog";
import { announcement, session } from "../state/store";

const LOOK_AGAIN_MS = 5000;

export function Shift() {
  const [areas, setAreas] = useState<AreaMode[]>([]);
  const [handovers, setHandovers] = useState<Handover[]>([]);
  const [steps, setSteps] = useState<ManualStep[]>([]);
  const [failure, setFailure] = useState("");
  const load = async (): Promise<void> => {
    const [a, h, s] = await Promise.all([
      call<{ areas: AreaMode[] }>("GET", "modes"),
      call<{ handovers: Handover[] }>("GET", "handovers"),
      call<{ steps: ManualStep[] }>("GET", "manual-steps"),
    ]);
    if (a.ok) setAreas(a.value.areas);
    if (h.ok) setHandovers(h.value.handovers);
    if (s.ok) setSteps(s.value.steps);
    const bad = [a, h, s].find((answer) => !answer.ok);
    if (bad && !bad.ok) setFailure(explain(bad.problem));
  };
  // Others approve, hand over and repeat back as well; a word of refusal stays until the next act.
  useEffect(() => {
    void load();
    const again = setInterval(() => void load(), LOOK_AGAIN_MS);
    return () => clearInterval(again);
  }, []);
  const act: Act = async (path, body, done) => {
    setFailure("");
    const answer = await call<unknown>("POST", path, body);
    if (answer.ok) announcement.value = done;
    await load();
    if (!answer.ok) setFailure(explain(answer.problem));
    return answer.ok;
  };
  return (
    <div class="shift">
      <Failure text={failure} />
      <Handovers all={handovers} act={act} />
      <Steps all={steps} act={act} />
      <Modes areas={areas} act={act} />
      <Figures />
    </div>
  );
}

function may(permission: string): boolean {
  return session.value?.may.includes(permission) ?? false;
}

/** One line to say something, and what then happens. */
function Say(props: {
  label: string; button: string; disabled?: boolean; optional?: boolean;
  onSay: (words: string) => Promise<boolean>; children?: ComponentChildren;
}) {
  const [words, setWords] = useState("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await props.onSay(words)) setWords("");
  };
  return (
    <form class="say" onSubmit={(e) => void submit(e)}>
      {props.children}
      <label class="field">{props.label}
        <input value={words} maxLength={500} required={!props.optional} onInput={(e) => setWords(e.currentTarget.value)} />
      </label>
      <button type="submit" disabled={props.disabled}>{props.button}</button>
    </form>
  );
}

function Handovers(props: { all: Handover[]; act: Act }) {
  const last = props.all[0];
  const waits = last !== undefined && last.taken_by === "";
  return (
    <Panel title="Shift handover" aside={last ? <span class="small">{waits ? `prepared by ${last.prepared_by}, not taken yet` : `taken by ${last.taken_by}`}</span> : null}>
      {last === undefined ? <Empty>No shift was handed over yet.</Empty> : (
        <>
          <p>Prepared by <b>{last.prepared_by}</b>, <Time at={last.at} dated /> {SITE_TIME}{last.notes ? `: ${last.notes}` : ""}</p>
          {last.open_items.length > 0 ? <Reasons title="Open when it was prepared" list={last.open_items} /> : <p>Nothing was open.</p>}
          {last.taken_by ? <p>Taken by <b>{last.taken_by}</b>, <Time at={last.taken_at} dated /> {SITE_TIME}{last.remarks ? `: ${last.remarks}` : ""}</p> : null}
        </>
      )}
      {waits ? (
        <Say label="I have checked it. Remarks" button="Take the shift" optional disabled={!may("duty") || last.prepared_by === session.value?.user}
          onSay={(remarks) => props.act(`handovers/${last.number}/take`, { remarks }, "The shift is taken.")} />
      ) : null}
      <Say label="Notes for the next shift" button="Prepare a handover" optional disabled={!may("duty")}
        onSay={(notes) => props.act("handovers", { notes }, "The handover is prepared.")} />
    </Panel>
  );
}

function Steps(props: { all: ManualStep[]; act: Act }) {
  const [to, setTo] = useState("");
  return (
    <Panel title="Steps by telephone">
      {props.all.length === 0 ? <Empty>No step was given by telephone yet.</Empty> : (
        <table class="data">
          <thead><tr><th class="r">Number</th><th>To</th><th>Instruction</th><th>Repeated back</th><th>Confirmed</th><th>State</th></tr></thead>
          <tbody>
            {props.all.map((s) => (
              <tr key={s.number}>
                <td class="num r">{s.number}</td>
                <td>{s.to}</td>
                <th scope="row" class="wrap">{s.instruction} <span class="small">{s.issued_by}, <Time at={s.issued_at} dated /></span></th>
                <td class="wrap">{s.repeat_back || (s.closed ? "" : (
                  <Say label={`What ${s.to} repeated`} button="Repeated" disabled={!may("duty")}
                    onSay={(words) => props.act(`manual-steps/${s.number}/repeat`, { words }, "Repeated back.")} />
                ))}</td>
                <td class="wrap">{s.confirmation || (s.closed || !s.repeat_back ? "" : (
                  <Say label="What was confirmed" button="Done" disabled={!may("duty")}
                    onSay={(words) => props.act(`manual-steps/${s.number}/confirm`, { words }, "Confirmed.")} />
                ))}</td>
                <td>{s.closed || "open"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Say label="Instruction" button="Give it" disabled={!may("duty") || to.trim() === ""}
        onSay={(instruction) => props.act("manual-steps", { to, instruction }, "The instruction is noted.")}>
        <label class="field">To whom
          <input value={to} maxLength={100} onInput={(e) => setTo(e.currentTarget.value)} />
        </label>
      </Say>
    </Panel>
  );
}

function Modes(props: { areas: AreaMode[]; act: Act }) {
  const [asked, setAsked] = useState("");
  const approve = (a: AreaMode): Promise<boolean> => props.act("modes/approve", approval(a), "Approved.");
  return (
    <Panel title="Modes of the areas">
      {props.areas.map((a) => {
        const lower = a.mode === "advisory" || a.mode === "closed loop" ? ["shadow", "off"] : a.mode === "shadow" ? ["off"] : [];
        const higher = a.mode === "off" ? "shadow" : a.mode === "shadow" ? "advisory" : null;
        const set = (mode: string) => (reason: string) =>
          props.act("modes", { area: a.area, mode, reason }, `Area ${a.area}: ${mode}.`);
        return (
          <section key={a.area} class="area" aria-label={`Area ${a.area}`}>
            <p>Area <b>{a.area}</b>: <b>{a.mode}</b>{a.by ? `, by ${a.by}: ${a.reason}` : ""}</p>
            {a.scored > 0 ? <p class="small">{number(a.scored)} shadow plans scored, forecast {number(a.forecast_error_pct, 1)} % off, {number(a.relieved_kwh)} of {number(a.over_kwh)} kWh above the limit would have been taken off.</p> : null}
            {a.lacking.length > 0 ? <Reasons title="Not yet advisory" list={a.lacking} /> : null}
            {a.request ? (
              <>{a.request.envelope ? <EnvelopeView of={a.request.envelope} /> : null}
              <p>{a.request.by} asks for {a.request.to}: {a.request.reason}. {a.request.approved_by ? `Approved by ${a.request.approved_by}.` : ""} <button type="button" disabled={!may("approve") || a.request.by === session.value?.user || a.request.approved_by === session.value?.user}
                onClick={() => {
                  if (a.request?.envelope) setAsked(a.area);
                  else void approve(a);
                }}>{a.request.envelope ? "Approve…" : "Approve"}</button></p></>
            ) : null}
            {asked === a.area ? <AllowDialog area={a} onClose={() => setAsked("")} onAllow={() => approve(a)} /> : null}
            <ClosedLoop area={a} act={props.act} />
            <Turn area={a.area} to={higher ? [...lower, higher] : lower} set={set} />
          </section>
        );
      })}
    </Panel>
  );
}

/** What was on the screen: another envelope is refused. */
function approval(a: AreaMode): Record<string, unknown> {
  const envelope = a.request?.envelope;
  return envelope ? { area: a.area, digest: envelope.digest } : { area: a.area };
}

/** One reason, and the modes that it can be the reason for. */
function Turn(props: { area: string; to: string[]; set: (mode: string) => (reason: string) => Promise<boolean> }) {
  const [reason, setReason] = useState("");
  const turn = async (mode: string): Promise<void> => {
    if (await props.set(mode)(reason)) setReason("");
  };
  return (
    <div class="say">
      <label class="field">Why area {props.area} changes its mode
        <input value={reason} maxLength={500} onInput={(e) => setReason(e.currentTarget.value)} />
      </label>
      {props.to.map((mode) => (
        <button key={mode} type="button" disabled={!may("mode") || reason.trim() === ""} onClick={() => void turn(mode)}>
          {mode === "advisory" ? "Ask for advisory" : `To ${mode}`}
        </button>
      ))}
    </div>
  );
}

const SPANS = [{ hours: 24, name: "24 h" }, { hours: 168, name: "7 days" }, { hours: 744, name: "31 days" }] as const;

function Figures() {
  const [hours, setHours] = useState<number>(24);
  const [f, setFigures] = useState<AlarmFigures | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    let wanted = true;
    void call<AlarmFigures>("GET", `alarms/figures?hours=${hours}`).then((answer) => {
      if (!wanted) return;
      if (answer.ok) setFigures(answer.value);
      setFailure(answer.ok ? "" : explain(answer.problem));
    });
    return () => {
      wanted = false;
    };
  }, [hours]);
  return (
    <Panel title="How the alarms treat the operator" aside={
      <span class="segmented" role="group" aria-label="Figures of the last">
        {SPANS.map((span) => (
          <button key={span.hours} type="button" aria-pressed={hours === span.hours} onClick={() => setHours(span.hours)}>{span.name}</button>
        ))}
      </span>
    }>
      <Failure text={failure} />
      {f === null ? null : <FigureTable of={f} />}
    </Panel>
  );
}

function FigureTable(props: { of: AlarmFigures }) {
  const f = props.of;
  const span_s = Math.max(1, f.end_s - f.start_s);
  const rows: [string, string, string][] = [
    ["Raised", number(f.raised), `in ${number(span_s / 3600, 1)} h of record`],
    ["A day", number(f.per_day, 1), "150 are fine, 300 too many"],
    ["In 10 minutes, mean", number(f.per_10_min, 2), "1 is fine"],
    ["In 10 minutes, most", number(f.most_in_10_min), "a flood begins above 10"],
    ["Floods", number(f.floods), `${number((100 * f.flood_s) / span_s, 2)} % of the time; below 1 % is fine`],
    ["Stale, more than a day", number(f.stale.length), f.stale.join(", ") || "none is fine"],
    ["Chattering", number(f.chattering.length), f.chattering.join(", ") || "none is fine"],
    ["Acknowledged after", f.acknowledged_after_s === null ? "–" : duration(f.acknowledged_after_s), "on average"],
    ["By priority 1, 2, 3", [1, 2, 3].map((p) => number(f.priorities.find(([name]) => name === p)?.[1] ?? 0)).join(", "), "about 5, 15 and 80 % are usual"],
  ];
  return (
    <>
      <table class="data">
        <thead><tr><th>Figure</th><th class="r">Value</th><th>Bound</th></tr></thead>
        <tbody>{rows.map(([name, value, bound]) => <tr key={name}><th scope="row">{name}</th><td class="num r">{value}</td><td class="small">{bound}</td></tr>)}</tbody>
      </table>
      {f.judged.length > 0 ? <Reasons title="Not as it should be" list={f.judged.map(sentence)} /> : <p>All figures are as they should be.</p>}
      {f.top.length > 0 ? <p class="small">Loudest: {f.top.slice(0, 5).map(([key, count]) => `${key} ${number(count)}`).join(", ")}. <a href="/api/v1/alarms/history.csv?days=31" download>History of 31 days (CSV)</a></p> : null}
    </>
  );
}
