// The symbols of the one-line. Form says what it is, fill and stroke say how it is.
import type { Feeder, ResourceKind } from "../api";
import type { Severity } from "../judge";

/** idle: free. intended: a plan wants it to move. confirmed: the device says that it has. */
export type GlyphState = "idle" | "intended" | "confirmed" | "excluded" | "unknown";

export const KIND_WORD: Record<ResourceKind, string> = {
  load_group: "load group", battery: "battery", pv: "PV", generator: "generator",
};
export const KIND_WORDS: Record<ResourceKind, string> = {
  load_group: "load groups", battery: "batteries", pv: "PV inverters",
  generator: "generators",
};

export const GLYPH = 10;

/** Drawn in a box of GLYPH pixels with its upper left corner at x, y. */
export function ResourceGlyph(props: {
  kind: ResourceKind; x: number; y: number; state: GlyphState; soc?: number | null; scale?: number;
}) {
  const { x, y, scale = 1 } = props;
  const soc = Math.min(100, Math.max(0, props.soc ?? 0));
  return (
    <g class={`glyph ${props.kind} g-${props.state}`} transform={`translate(${x} ${y}) scale(${scale})`}>
      {props.kind === "load_group" ? <path class="body" d="M0.5 1.5h9L5 9.2z" /> : null}
      {props.kind === "battery" ? (
        <>
          <path class="body" d="M0.5 2h7.6v6.5h-7.6zM8.6 4h1v2.5h-1z" />
          {props.soc === null || props.soc === undefined ? null
            : <rect class="soc" x="1.5" y="3" width={(5.6 * soc) / 100} height="4.5" />}
        </>
      ) : null}
      {props.kind === "pv" ? <path class="body" d="M0.5 1h9v8h-9z M0.5 5h9 M3.5 1v8 M6.5 1v8" /> : null}
      {props.kind === "generator" ? <path class="body" d="M5 0.5a4.5 4.5 0 1 0 0.01 0z M2.5 6.5a1.4 1.4 0 0 1 2.5-1.5a1.4 1.4 0 0 0 2.5-1.5" /> : null}
      {props.state === "excluded" ? <path class="strike" d="M-1 10.5L11 -0.5" /> : null}
    </g>
  );
}

export function Bus(props: { x: number; y: number; phases: number; severity: Severity }) {
  const { x, y } = props;
  switch (props.severity) {
    case "alarm":
      return <path class="bus s-alarm" d={`M${x} ${y - 7}l7 12h-14z`} />;
    case "warn":
      return <path class="bus s-warn" d={`M${x} ${y - 6}l6 6l-6 6l-6 -6z`} />;
    case "unknown":
      return <rect class="bus s-unknown" x={x - 4.5} y={y - 4.5} width="9" height="9" />;
    case "unmeasured":
      return <circle class="bus s-unmeasured" cx={x} cy={y} r={props.phases > 1 ? 2.6 : 2} />;
    default:
      return <circle class="bus s-normal" cx={x} cy={y} r={1.9 + 0.5 * props.phases} />;
  }
}

type BranchKind = Feeder["branches"][number]["kind"];

/** The apparatus in the middle of a branch. */
export function Apparatus(props: { kind: BranchKind; x: number; y: number }) {
  const { x, y } = props;
  switch (props.kind) {
    case "switch":
      return <rect class="apparatus closed" x={x - 3.5} y={y - 3.5} width="7" height="7" />;
    case "open_switch":
      return <rect class="apparatus" x={x - 3.5} y={y - 3.5} width="7" height="7" />;
    case "transformer":
      return (
        <g class="apparatus"><circle cx={x - 3} cy={y} r="4.5" /><circle cx={x + 3} cy={y} r="4.5" /></g>
      );
    case "regulator":
      return (
        <g class="apparatus"><circle cx={x} cy={y} r="5.5" />
          <path d={`M${x - 4.5} ${y + 5}l9 -10m-3.4 0.4l3.4 -0.4l0.2 3.4`} /></g>
      );
    default:
      return null;
  }
}

export function Capacitor(props: { x: number; y: number }) {
  const { x, y } = props;
  return <path class="capacitor" d={`M${x} ${y}v-6m-4 0h8m-8 -3h8m-4 0v-3`} />;
}

export function Substation(props: { x: number; y: number }) {
  return (
    <g class="substation"><circle cx={props.x} cy={props.y} r="9" />
      <path d={`M${props.x - 5} ${props.y}q2.5 -6 5 0t5 0`} /></g>
  );
}
