// Closed loop of an area: what it may do by itself, who has allowed it and until when; the form to ask for it.
import { useState } from "preact/hooks";
import type { AreaMode, Envelope } from "../api";
import { number, SITE_TIME } from "../format";
import { session } from "../state/store";
import { Reasons, Time } from "./bits";
import { Dialog } from "./dialog";

export type Act = (path: string, body: Record<string, unknown>, done: string) => Promise<boolean>;

const CAUSES = ["head limit", "request", "emergency"] as const;
const NUMBERS: [keyof Form & string, string, string][] = [
  ["max_kw", "Away from the defaults at once, at most, kW", "any"],
  ["ramp_kw", "Moved within 5 minutes, at most, kW", "any"],
  ["from_hour", "From hour, local", "1"],
  ["to_hour", "To hour, local", "1"],
  ["life_h", "For hours, 12 at most", "any"],
];

interface Form { max_kw: string; ramp_kw: string; from_hour: string; to_hour: string; life_h: string }
const NOTHING: Form = { max_kw: "", ramp_kw: "", from_hour: "", to_hour: "", life_h: "" };

export function EnvelopeView(props: { of: Envelope }) {
  const e = props.of;
  const rows: [string, string][] = [
    ["At once, at most", `${number(e.max_kw)} kW away from the defaults`],
    ["In 5 minutes, at most", `${number(e.ramp_kw)} kW`],
    ["Devices", e.devices.join(", ")],
    ["Hours, local", `${e.from_hour} to ${e.to_hour}`],
    ["Causes", e.causes.join(", ")],
    ["Life", `${number(e.life_h, 1)} h`],
    ["Digest", e.digest.slice(0, 12)],
  ];
  return (
    <table class="data envelope">
      <thead><tr><th>Envelope</th><th>Bound</th></tr></thead>
      <tbody>{rows.map(([name, value]) => <tr key={name}><th scope="row">{name}</th><td class="wrap">{value}</td></tr>)}</tbody>
    </table>
  );
}

export function ClosedLoop(props: { area: AreaMode; act: Act }) {
  const { area: a, act } = props;
  const p = a.promotion;
  if (p !== null) {
    return (
      <div class="closed-loop">
        <p>Plans inside this envelope go by themselves: allowed by <b>{p.approved_by.join(" and ")}</b>, asked for by {p.asked_by},
          until <Time at={p.expires} dated /> {SITE_TIME}. Every other plan waits for people.</p>
        <EnvelopeView of={p.envelope} />
        <button type="button" class="demote" disabled={!may("mode")}
          onClick={() => void act("modes", { area: a.area, mode: "advisory", reason: "demoted at the desk" }, `Area ${a.area}: advisory.`)}>
          End closed loop of {a.area} now</button>
      </div>
    );
  }
  if (a.bound === null || a.mode !== "advisory") return null;
  const e = a.evidence;
  return (
    <div class="closed-loop">
      <p class="small">For closed loop: {number(e.scored)} plans scored, {number(e.advisory)} of them approved by people, over {number(e.days, 1)} days;
        forecast {number(e.forecast_error_pct, 1)} % off, promised head {number(e.plan_error_pct, 1)} % off.
        OT allows {number(a.bound.max_kw)} kW at once and {number(a.bound.ramp_kw)} kW in 5 minutes.</p>
      {e.lacking.length > 0 ? <Reasons title="Not yet closed loop" list={e.lacking} /> : null}
      {a.request === null && e.lacking.length === 0 && session.value?.role === "ENGINEER" ? <Ask area={a} act={act} /> : null}
    </div>
  );
}

/** Nothing has a default: what moves power is written down by the one who asks. */
function Ask(props: { area: AreaMode; act: Act }) {
  const { area, act } = props;
  const [form, setForm] = useState<Form>(NOTHING);
  const [devices, setDevices] = useState<string[]>([]);
  const [causes, setCauses] = useState<string[]>([]);
  const [reason, setReason] = useState("");
  const toggled = (list: string[], name: string): string[] =>
    list.includes(name) ? list.filter((one) => one !== name) : [...list, name];
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const numbers = Object.fromEntries(Object.entries(form).map(([name, text]) => [name, Number(text)]));
    const body = { area: area.area, ...numbers, devices, causes, reason };
    if (await act("modes/closed-loop", body, `Closed loop of ${area.area} is asked for.`)) setForm(NOTHING);
  };
  return (
    <details>
      <summary>Ask for closed loop of {area.area}</summary>
      <form class="ask" onSubmit={(e) => void submit(e)}>
        {NUMBERS.map(([name, label, step]) => (
          <label key={name} class="field">{label}
            <input type="number" min="0" step={step} required value={form[name]}
              onInput={(e) => setForm({ ...form, [name]: e.currentTarget.value })} />
          </label>
        ))}
        <fieldset>
          <legend>Devices</legend>
          <span class="pick">
            <button type="button" class="quiet" onClick={() => setDevices(area.bound?.devices ?? [])}>All that OT allows</button>
            <button type="button" class="quiet" disabled={devices.length === 0} onClick={() => setDevices([])}>None</button>
          </span>
          {area.bound?.devices.map((name) => (
            <label key={name}><input type="checkbox" checked={devices.includes(name)} onChange={() => setDevices(toggled(devices, name))} /> {name}</label>
          ))}
        </fieldset>
        <fieldset>
          <legend>Causes</legend>
          {CAUSES.map((name) => (
            <label key={name}><input type="checkbox" checked={causes.includes(name)} onChange={() => setCauses(toggled(causes, name))} /> {name}</label>
          ))}
        </fieldset>
        <label class="field">Why
          <input value={reason} maxLength={500} required onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <button type="submit" disabled={devices.length === 0 || causes.length === 0}>Ask; two others approve</button>
      </form>
    </details>
  );
}

/** What a second look is for: from here on nobody is asked about plans inside the envelope (SG-10). */
export function AllowDialog(props: { area: AreaMode; onClose: () => void; onAllow: () => Promise<boolean> }) {
  const { area } = props;
  const asked = area.request;
  const [busy, setBusy] = useState(false);
  if (!asked?.envelope) return null;
  const last = asked.approved_by !== "";
  const allow = async (): Promise<void> => {
    setBusy(true);
    await props.onAllow();
    props.onClose();
  };
  return (
    <Dialog title={`Let area ${area.area} run by itself?`} onClose={props.onClose}>
      <div class="stack">
        <p>{asked.by} asks: {asked.reason}. Plans inside this envelope then go <b>without anybody being asked</b>; STOP and one click end it.</p>
        <EnvelopeView of={asked.envelope} />
        <p>{last ? `Second of two, after ${asked.approved_by}: it begins at once.` : "First of two. It begins when a second person approves; one of the two is a supervisor."}</p>
        <div class="actions">
          <button type="button" data-first onClick={props.onClose}>Cancel</button>
          <button type="button" class="primary" disabled={busy} onClick={() => void allow()}>Approve closed loop of {area.area}</button>
        </div>
      </div>
    </Dialog>
  );
}

function may(permission: string): boolean {
  return session.value?.may.includes(permission) ?? false;
}
