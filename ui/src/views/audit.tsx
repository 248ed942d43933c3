import { useEffect, useState } from "preact/hooks";
import type { AuditRow, ChainCheck } from "../api";
import { number, plural, shortDigest, SITE_TIME } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Time } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { announcement } from "../state/store";

const PAGE = 100;

export function Audit() {
  const [rows, setRows] = useState<AuditRow[] | null>(null);
  const [more, setMore] = useState(true);
  const [check, setCheck] = useState<ChainCheck | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const load = async (before: number | null): Promise<void> => {
    const query = `limit=${PAGE}${before === null ? "" : `&before=${before}`}`;
    const answer = await call<{ rows: AuditRow[] }>("GET", `audit?${query}`);
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (!answer.ok) return;
    setRows([...(before === null ? [] : rows ?? []), ...answer.value.rows]);
    setMore(answer.value.rows.length === PAGE);
  };
  useEffect(() => {
    void load(null);
  }, []);
  const verify = async (): Promise<void> => {
    setBusy(true);
    const answer = await call<ChainCheck>("GET", "audit/verify");
    setBusy(false);
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (!answer.ok) return;
    setCheck(answer.value);
    announcement.value = answer.value.ok ? "The audit chain is whole." : "The audit chain is broken.";
  };
  return (
    <Panel title="Audit trail, newest first" aside={
      <>
        {check ? (
          <span class={`chip ${check.ok ? "" : "bad-chip"}`}>
            {check.ok ? `✓ chain whole, ${plural(check.rows, "row")}` : `▲ broken at row ${number(check.first_bad)}`}
          </span>
        ) : null}
        <button type="button" onClick={() => void load(null)}>Reload</button>
        <button type="button" disabled={busy} onClick={() => void verify()}>{busy ? "Verifying…" : "Verify chain"}</button>
      </>
    }>
      <Failure text={failure} />
      {check && !check.ok ? <p class="failure" role="alert">{check.detail}</p> : null}
      {rows === null ? <Empty>{failure ? "" : "Loading…"}</Empty> : (
        <table class="data audit">
          <thead><tr><th class="r">Row</th><th>Time, {SITE_TIME}</th><th>Who</th><th>From</th><th>Action</th><th>Object</th><th>Before → after</th><th>Reason</th><th>Result</th><th>Plan digest</th><th>Hash</th></tr></thead>
          <tbody>
            {rows.map((r) => (
              <tr key={r.sequence} class={check?.first_bad === r.sequence ? "failed-row" : ""}>
                <td class="num r">{number(r.sequence)}</td>
                <td class="num"><Time at={r.at} dated /></td>
                <th scope="row">{r.who} <span class="small">{r.role}</span></th>
                <td class="small">{r.source}</td>
                <td>{r.action}</td>
                <td>{r.object}</td>
                <td>{r.before || r.after ? `${r.before || "–"} → ${r.after || "–"}` : ""}</td>
                <td class="wrap">{r.reason}</td>
                <td>{r.result}</td>
                <td class="mono" title={r.plan_digest}>{shortDigest(r.plan_digest)}</td>
                <td class="mono" title={r.hash}>{shortDigest(r.hash)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {rows && more && rows.length > 0 ? (
        <button type="button" class="older" onClick={() => void load(rows.at(-1)?.sequence ?? null)}>Older rows</button>
      ) : null}
    </Panel>
  );
}
