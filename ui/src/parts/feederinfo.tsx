// Words and tables about the feeder: legend, card of one bus, the diagram's data as a table.
import type { Feeder, ResourceKind } from "../api";
import { age, duration, kw, number, pct, plural, pu, UNKNOWN } from "../format";
import { nodeSeverity, SEVERITIES, type Severity } from "../judge";
import { liveResource } from "../state/looks";
import { ageOf, silence, type Live } from "../state/merge";
import { Value } from "./bits";
import { TagMark, worstTag } from "./tagmark";
import { GLYPH, KIND_WORD, KIND_WORDS, ResourceGlyph, type GlyphState } from "./glyphs";

export function Legend(props: { overlay?: boolean }) {
  const item = (kind: ResourceKind, state: GlyphState, words: string) => (
    <li><svg width={GLYPH + 2} height={GLYPH + 1} aria-hidden="true"><ResourceGlyph kind={kind} x={1} y={0.5} state={state} soc={60} /></svg>{words}</li>
  );
  return (
    <ul class="legend">
      {item("load_group", props.overlay ? "intended" : "idle", "load")}
      {item("battery", props.overlay ? "intended" : "idle", "battery")}
      {item("pv", props.overlay ? "intended" : "idle", props.overlay ? "PV, moved by this plan" : "PV")}
      {props.overlay ? null : item("load_group", "intended", "intended")}
      {props.overlay ? null : item("load_group", "confirmed", "confirmed")}
      {item("load_group", "excluded", "excluded")}
    </ul>
  );
}

const STATE_WORD: Record<GlyphState, string> = {
  idle: "idle", intended: "intended, not confirmed", confirmed: "confirmed", excluded: "excluded",
  unknown: "not known",
};

export function NodeCard(props: { feeder: Feeder; live: Live; node: string | null; nowMs: number }) {
  if (props.node === null) return <FeederSummary {...props} />;
  const { feeder: f, live: l, node, nowMs } = props;
  const n = f.nodes.find((x) => x.id === node);
  const s = l.nodes[node];
  const resources = f.resources.filter((r) => r.node === node);
  return (
    <>
      <h3>Node {node} <span class="small">{n ? `${number(n.kv, n.kv < 1 ? 2 : 2)} kV, phases ${n.phases}` : ""}</span></h3>
      {s ? (
        <p class="phases">
          {s.v.map((v, i) => (
            <span key={i}>{n?.phases[i] ?? i + 1} <Value text={pu(v)} unit="pu" quality={s.q} /></span>
          ))}
          <span class="age">{age(ageOf(s, nowMs))}</span>
        </p>
      ) : <p class="small">Not measured.</p>}
      {resources.slice(0, 4).map((r) => {
        const x = l.resources[r.id];
        const look = liveResource(l, r.id);
        return (
          <p key={r.id} class="resource-line">
            <b>{r.name}</b> <span class="small">{KIND_WORD[r.kind]}, {STATE_WORD[look.state]}</span><br />
            <span class="small">
              power <span class="num">{kw(x?.power_kw)}</span> kW, setpoint <span class="num">{kw(x?.confirmed_kw)}</span> kW
              {x?.intended_kw != null ? <>, wanted <span class="num">{kw(x.intended_kw)}</span> kW</> : null}
              {x?.soc_pct != null ? <>, charge <span class="num">{pct(x.soc_pct)}</span> %</> : null}
              {x?.lease_left_s != null ? <>, lease {duration(x.lease_left_s)}</> : null}
              {x ? ` ${age(ageOf(x, nowMs))}` : ""}
              {x?.excluded ? <><br />Excluded: {x.excluded}</> : null}
              {(l.tags ?? []).filter((t) => t.device === r.id && !t.blocks).map((t) => (
                <span key={t.id}><br /><TagMark kind={t.kind} /> {t.kind} by {t.by}: {t.reason}</span>
              ))}
            </span>
          </p>
        );
      })}
      {resources.length > 4 ? <p class="small">and {resources.length - 4} more: see the table</p> : null}
    </>
  );
}

function FeederSummary(props: { feeder: Feeder; live: Live; nowMs: number }) {
  const { feeder: f, live: l } = props;
  const count: Record<Severity, number> = { normal: 0, warn: 0, alarm: 0, unknown: 0, unmeasured: 0 };
  for (const n of f.nodes) {
    const s = l.nodes[n.id];
    count[nodeSeverity(s, silence(s, props.nowMs), f.voltage_min_pu, f.voltage_max_pu)] += 1;
  }
  const kinds = (["load_group", "battery", "pv", "generator"] as const).map((k) => {
    const all = f.resources.filter((r) => r.kind === k);
    const power = all.map((r) => l.resources[r.id]?.power_kw ?? null);
    const known = power.filter((p) => p !== null);
    return { k, n: all.length, kw: known.length ? known.reduce((a, b) => a + b, 0) : null };
  });
  return (
    <>
      <h3>{plural(f.nodes.length, "node")}, {number(f.nodes.length - count.unmeasured)} measured</h3>
      <p class="small">
        {count.alarm > 0 ? <b class="s-alarm">▲ {number(count.alarm)} outside limits </b> : null}
        {count.warn > 0 ? <b class="s-warn">◆ {number(count.warn)} close to a limit </b> : null}
        {count.unknown > 0 ? <b>? {number(count.unknown)} not known </b> : null}
        {count.alarm + count.warn + count.unknown === 0 ? "All voltages are normal." : ""}
      </p>
      <table class="mini"><tbody>
        {kinds.filter((x) => x.n > 0).map((x) => (
          <tr key={x.k}><th scope="row">{number(x.n)} {KIND_WORDS[x.k]}</th><td class="num">{x.kw === null ? UNKNOWN : kw(x.kw)} kW</td></tr>
        ))}
      </tbody></table>
      <p class="small hint">Point at a node, or use the arrow keys.</p>
    </>
  );
}

export function say(f: Feeder, l: Live, id: string): string {
  const n = f.nodes.find((x) => x.id === id);
  const s = l.nodes[id];
  const volts = s ? s.v.map((v, i) => `${n?.phases[i] ?? ""} ${v === null ? "not known" : pu(v)}`).join(", ") : "not measured";
  const resources = f.resources.filter((r) => r.node === id)
    .map((r) => {
      const tag = worstTag(l.tags, r.id);
      return `${r.name} ${STATE_WORD[liveResource(l, r.id).state]}${tag ? `, tagged ${tag}` : ""}`;
    }).join(", ");
  return `Node ${id}: ${volts}${s && s.q !== "good" ? `, ${s.q}` : ""}${resources ? `; ${resources}` : ""}`;
}

const SEVERITY_WORD: Record<Severity, string> = {
  normal: "normal", warn: "◆ close to limit", alarm: "▲ outside limit", unknown: "? not known",
  unmeasured: "not measured",
};

export function NodeTable(props: { feeder: Feeder; live: Live; nowMs: number }) {
  const { feeder: f, live: l, nowMs } = props;
  const judged = f.nodes.map((n) => {
    const s = l.nodes[n.id];
    return { n, s, severity: nodeSeverity(s, silence(s, nowMs), f.voltage_min_pu, f.voltage_max_pu) };
  }).sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const volt = (node: Feeder["nodes"][number], phase: string) => {
    const i = node.phases.indexOf(phase);
    const s = l.nodes[node.id];
    if (i < 0) return <td class="num">–</td>;
    return <td class="num">{s ? <Value text={pu(s.v[i])} quality={s.q} /> : ""}</td>;
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Nodes and resources">
      <table class="data">
        <thead><tr><th>Node</th><th>A, pu</th><th>B, pu</th><th>C, pu</th><th>State</th><th>Age</th><th>Resources: power, setpoint</th></tr></thead>
        <tbody>
          {judged.map(({ n, s, severity }) => {
            return (
              <tr key={n.id}>
                <th scope="row">{n.id}</th>
                {volt(n, "A")}{volt(n, "B")}{volt(n, "C")}
                <td class={`s-${severity}`}>{SEVERITY_WORD[severity]}</td>
                <td class="num">{s ? duration(ageOf(s, nowMs)) : ""}</td>
                <td>{f.resources.filter((r) => r.node === n.id).map((r) => {
                  const x = l.resources[r.id];
                  return <div key={r.id}>{r.name}: {kw(x?.power_kw)} kW, {kw(x?.confirmed_kw)} kW, {STATE_WORD[liveResource(l, r.id).state]}{worstTag(l.tags, r.id) ? <>, tagged {worstTag(l.tags, r.id)}</> : null}</div>;
                })}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
