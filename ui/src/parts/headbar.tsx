// Analogue bars: position against a limit is read faster than digits.
import type { Effect } from "../api";
import { kw, number, signedKw } from "../format";
import { headSeverity } from "../judge";

/** Import at the feeder head against its limit, with the forecast's next interval as a bracket. */
export function HeadBar(props: {
  value_kw: number | null; limit_kw: number; span?: [number, number] | null;
}) {
  const { value_kw, limit_kw } = props;
  const top = Math.max(limit_kw * 1.25, (value_kw ?? 0) * 1.02, (props.span?.[1] ?? 0) * 1.02);
  const x = (v: number): string => `${(Math.max(0, v) / top) * 100}%`;
  const severity = headSeverity(value_kw, limit_kw);
  const words = `Feeder head ${kw(value_kw)} of ${kw(limit_kw)} kilowatt`;
  return (
    <svg class={`bar s-${severity}`} width="100%" height="26" role="img" aria-label={words}>
      <rect class="track" x="0" y="8" width="100%" height="10" />
      <rect class="over" x={x(limit_kw)} y="8" width={x(top - limit_kw)} height="10" />
      {value_kw === null ? <text class="nothing" x="6" y="17">?</text>
        : <rect class="amount" x="0" y="8" width={x(value_kw)} height="10" />}
      {props.span ? (
        <rect class="span" x={x(props.span[0])} y="20" width={x(props.span[1] - props.span[0])} height="3" />
      ) : null}
      <rect class="limit" x={x(limit_kw)} y="3" width="2" height="20" />
    </svg>
  );
}

/** Effect at the head against the band that the plan promised. */
export function EffectBar(props: { effect: Effect }) {
  const e = props.effect;
  const values = [0, e.expected_kw, e.band_kw[0], e.band_kw[1], e.measured_kw ?? 0];
  const low = Math.min(...values) * 1.1;
  const high = Math.max(...values) * 1.15 || 1;
  const x = (v: number): string => `${((v - low) / (high - low)) * 100}%`;
  const verdict = e.kept === null ? (e.settled ? "not judged" : "devices follow")
    : e.kept ? "as promised" : "NOT as promised";
  return (
    <div class={`effect ${e.kept === false ? "broken" : ""}`}>
      <p title={`accepted band ${number(-e.band_kw[0])} to ${number(-e.band_kw[1])} kW`}>
        <span>{e.settled ? "measured" : "so far"} <b class="num">{signedKw(e.measured_kw === null ? null : -e.measured_kw)}</b>, expected
          {" "}<b class="num">{signedKw(-e.expected_kw)} kW</b> at the head</span>
        <span class={`chip ${e.kept === false ? "bad-chip" : ""}`}>{e.kept === true ? "✓ " : e.kept === false ? "▲ " : e.settled ? "? " : "… "}{verdict}</span>
      </p>
      <svg class="bar" width="100%" height="26" role="img"
        aria-label={`${e.settled ? "measured" : "so far"} ${kw(e.measured_kw)}, expected ${kw(e.expected_kw)} kilowatt of relief: ${verdict}`}>
        <rect class="track" x="0" y="8" width="100%" height="10" />
        <rect class="band" x={x(e.band_kw[0])} y="8" width={`${((e.band_kw[1] - e.band_kw[0]) / (high - low)) * 100}%`} height="10" />
        <rect class="limit" x={x(e.expected_kw)} y="5" width="2" height="16" />
        {e.measured_kw === null ? <text class="nothing" x="6" y="17">?</text>
          : <rect class="needle" x={x(e.measured_kw)} y="3" width="5" height="20" transform="translate(-2 0)" />}
        <rect class="zero" x={x(0)} y="6" width="1" height="14" />
      </svg>
    </div>
  );
}
