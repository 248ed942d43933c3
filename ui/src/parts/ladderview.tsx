// Five separate states, each with its own proof: intended, sent, accepted, confirmed, effective.
import type { CommandRow } from "../api";
import { kw, number, signedKw, timeOf, utcOf } from "../format";
import { ladder, RUNGS, tally, type Rung, type Step } from "../ladder";
import { Fragment } from "preact";
import { useState } from "preact/hooks";
import { Empty } from "./bits";
import { Wire } from "./wire";

const MARK: Record<Step["status"], string> = {
  done: "✓", waiting: "…", failed: "✕", unknown: "?", open: "·",
};
const STATUS_WORD: Record<Step["status"], string> = {
  done: "yes", waiting: "waiting", failed: "failed", unknown: "not known", open: "not yet",
};
const MEANING: Record<Rung, string> = {
  intended: "The approved plan wants it. Nothing has happened yet.",
  sent: "The field agent has sent the operate (or the write) to the device.",
  accepted: "The device has answered it with success.",
  confirmed: "The device's own feedback shows the new setpoint.",
  effective: "The power has changed as expected.",
};

function Cell(props: { step: Step }) {
  const s = props.step;
  return (
    <td class={`rung ${s.status}`} title={[s.detail, s.at ? utcOf(s.at) : ""].filter(Boolean).join("\n")}>
      <b aria-hidden="true">{MARK[s.status]}</b><span class="sr">{STATUS_WORD[s.status]}</span>
      {s.at && s.status !== "open" ? <small class="num"> {timeOf(s.at)}</small> : null}
      {s.status === "waiting" && s.state ? <small> {s.state}</small> : null}
    </td>
  );
}

export function Tally(props: { rows: CommandRow[] }) {
  const count = tally(props.rows);
  const all = props.rows.length;
  return (
    <ol class="tally" aria-label="How far the commands are">
      {RUNGS.map((r) => (
        <li key={r} class={count[r] === all && all > 0 ? "full" : ""} title={MEANING[r]}>
          <span class="rung-name">{r}</span>
          <b class="num">{number(count[r])}</b><span class="small"> of {number(all)}</span>
          <svg width="100%" height="6" aria-hidden="true">
            <rect class="tally-track" width="100%" height="6" rx="2" />
            <rect class="tally-fill" width={`${all ? (100 * count[r]) / all : 0}%`} height="6" rx="2" />
          </svg>
        </li>
      ))}
      <li class={count.failed > 0 ? "bad" : ""} title="The device or the field refused it: it holds what it held.">
        <span class="rung-name">failed</span><b class="num">{count.failed > 0 ? `▲ ${number(count.failed)}` : "0"}</b>
      </li>
      <li class={count.unknown > 0 ? "doubt" : ""} title="It went out, and the proof has not come. It may or may not have happened; it is not sent again.">
        <span class="rung-name">not known</span><b class="num">{count.unknown > 0 ? `? ${number(count.unknown)}` : "0"}</b>
      </li>
    </ol>
  );
}

export function LadderTable(props: { rows: CommandRow[] }) {
  const [open, setOpen] = useState<string | null>(null);
  if (props.rows.length === 0) return <Empty>No commands.</Empty>;
  return (
    <table class="data ladder">
      <thead>
        <tr>
          <th>Device</th>
          <th class="r">Setpoint</th><th class="r at-head">At head, kW</th>
          {RUNGS.map((r) => <th key={r} class="rung-head" title={MEANING[r]}>{r}</th>)}
          <th class="r" title="Its share of what the feeder head showed, when that was judged">Measured, kW</th><th>Says</th><th><span class="sr">Wire</span></th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row) => {
          const l = ladder(row);
          const shown = open === row.id;
          return (
            <Fragment key={row.id}>
            <tr class={l.failed ? "failed-row" : ""}>
              <th scope="row" title={`${row.id}, ${row.point}`}>{row.name} <span class="small">{row.protocol}</span></th>
              <td class="num r">{kw(row.value)} {row.unit}</td>
              <td class="num r at-head">{signedKw(-row.effect_kw)}</td>
              {l.steps.map((s) => <Cell key={s.rung} step={s} />)}
              <td class="num r">{row.measured_kw === null ? "–" : signedKw(-row.measured_kw)}</td>
              <td class="says">{l.failed ? <b class={row.state === "unconfirmed" ? "s-warn" : "s-alarm"}>{row.state === "unconfirmed" ? "?" : "▲"} {row.state}: </b> : l.released ? "released: " : ""}
                <span title={row.detail}>{row.status === "REPLACED" ? "a newer command took its place" : [row.status, row.detail].filter(Boolean).join(": ")}</span></td>
              <td>
                <button type="button" class="quiet" aria-expanded={shown} aria-controls={`wire-${row.id}`} title="What passed the wire for this command"
                  onClick={() => setOpen(shown ? null : row.id)}>Wire<span class="sr"> of {row.name}</span></button>
              </td>
            </tr>
            {shown ? <tr class="wire-row" id={`wire-${row.id}`}><td colSpan={RUNGS.length + 6}><Wire command={row.id} state={row.state} /></td></tr> : null}
            </Fragment>
          );
        })}
      </tbody>
    </table>
  );
}
