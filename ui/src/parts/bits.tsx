// Small things that every screen uses.
import type { ComponentChildren } from "preact";
import type { Alarm, PlanState, Validity } from "../api";
import { age, dateTimeOf, timeOf, utcOf } from "../format";
import { PRIORITY_SHAPE, PRIORITY_WORD } from "../judge";

export function Panel(props: {
  title: ComponentChildren; aside?: ComponentChildren; class?: string; children: ComponentChildren;
  label?: string;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.label}>
      <header class="panel-head">
        <h2>{props.title}</h2>
        {props.aside}
      </header>
      <div class="panel-body">{props.children}</div>
    </section>
  );
}

/** Priority by shape, number, colour and word. */
export function Priority(props: { of: Alarm["priority"]; words?: boolean }) {
  return (
    <span class={`priority p${props.of}`}>
      <span aria-hidden="true">{PRIORITY_SHAPE[props.of]}</span> {props.of}
      {props.words ? ` ${PRIORITY_WORD[props.of]}` : <span class="sr"> {PRIORITY_WORD[props.of]}</span>}
    </span>
  );
}

/** A value with its unit; dashed box and "?" when the quality is not good, age when it is old. */
export function Value(props: {
  text: string; unit?: string; quality?: Validity; age_s?: number | null; class?: string;
}) {
  const poor = props.quality !== undefined && props.quality !== "good";
  const old = age(props.age_s);
  return (
    <span class={`value ${poor ? "poor" : ""} ${props.class ?? ""}`}>
      <span class="num">{props.text}{poor && props.text !== "?" ? "?" : ""}</span>
      {props.unit ? <span class="unit"> {props.unit}</span> : null}
      {poor ? <span class="sr"> quality {props.quality}</span> : null}
      {old ? <span class="age"> {old}</span> : null}
    </span>
  );
}

export function Time(props: { at: string | null | undefined; dated?: boolean }) {
  const words = props.dated ? dateTimeOf(props.at) : timeOf(props.at);
  return <time title={utcOf(props.at)} dateTime={props.at ?? ""}>{words}</time>;
}

const PLAN_WORDS: Record<PlanState, string> = {
  proposed: "waits for approval", partial: "1 approval given", approved: "approved",
  active: "active", completed: "completed", rejected: "rejected", expired: "expired",
  void: "void", stopped: "stopped", shadow: "shadow, never sent",
};

export function PlanChip(props: { state: PlanState }) {
  return <span class={`chip plan-${props.state}`}>{PLAN_WORDS[props.state]}</span>;
}

export function Reasons(props: { title: string; list: string[]; class?: string }) {
  if (props.list.length === 0) return null;
  return (
    <div class={`reasons ${props.class ?? ""}`}>
      <strong>{props.title}</strong>
      <ul>{props.list.map((r) => <li key={r}>{r}</li>)}</ul>
    </div>
  );
}

export function Empty(props: { children: ComponentChildren }) {
  return <p class="empty">{props.children}</p>;
}
