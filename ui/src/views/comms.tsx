import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { LinkDetail, RejectedCertificate } from "../api";
import { bytes, certificateWords, elapsed, linkMark, number, plural, UNKNOWN } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Time } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { SequenceOfEvents } from "../parts/events";
import { live } from "../state/store";

const REFRESH_MS = 2_000;

export function Comms() {
  const [links, setLinks] = useState<LinkDetail[] | null>(null);
  const [failure, setFailure] = useState("");
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    let gone = false;
    const load = async (): Promise<void> => {
      const answer = await call<{ links: LinkDetail[] }>("GET", "links");
      if (gone) return;
      setFailure(answer.ok ? "" : explain(answer.problem));
      if (answer.ok) setLinks(answer.value.links);
    };
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => { gone = true; clearInterval(timer); };
  }, []);
  const toggle = (id: string): void => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  const connected = live.value?.field_connected;
  const bad = links?.filter((l) => l.state !== "up").length ?? 0;
  return (
    <>
      <Panel title="Links between the field agent and the devices" aside={
        <>
          {links ? <span class={`chip ${bad ? "bad-chip" : ""}`}>{bad ? `▲ ${bad} of ${links.length} not up` : `✓ all ${links.length} up`}</span> : null}
          <span class={`chip link ${connected ? "ok" : "bad"}`}><i aria-hidden="true" />
            {connected === undefined ? UNKNOWN : connected ? "field agent connected" : "field agent NOT connected"}</span>
        </>
      }>
        <Failure text={failure} />
        {!links ? <Empty>Waiting for data…</Empty> : links.length === 0 ? <Empty>The field agent has told of no link yet.</Empty> : (
          <table class="data comms dims">
            <thead><tr>
              <th>Link</th><th>State</th><th>Device</th>
              <th class="r" title="Points with a good value, of all that are read">Points good</th>
              <th class="r" title="Values taken since the driver's start">Reads</th>
              <th class="r" title="Points or scans that did not come in their period">Late</th>
              <th class="r">Reconnects</th>
              <th class="r" title="Last, median and 99th percentile of the last requests">Round trip, ms<br /><span class="small">last · p50 · p99</span></th>
              <th>Certificate</th><th><span class="sr">Details</span></th>
            </tr></thead>
            <tbody>
              {links.map((l) => (
                <Fragment key={l.id}>
                  <Row link={l} open={open.has(l.id)} toggle={() => toggle(l.id)} />
                  {open.has(l.id) ? <Details link={l} /> : null}
                </Fragment>
              ))}
            </tbody>
          </table>
        )}
      </Panel>
      <SequenceOfEvents />
    </>
  );
}

function Row(props: { link: LinkDetail; open: boolean; toggle: () => void }) {
  const l = props.link;
  const expiry = certificateWords(l.certificate_expires, Date.now());
  return (
    <tr>
      <th scope="row">{l.id}</th>
      <td>
        <span class={`chip link ${l.state === "up" ? "ok" : "bad"}`}>{linkMark(l.state)} {l.state}</span>
        <span class="small"> since <Time at={l.since} /></span>
        {l.detail ? <div class="small detail">{l.detail}</div> : null}
      </td>
      <td><span class="mono">{l.endpoint}</span> <span class="small">{l.protocol}</span>{l.endpoint !== l.configured_endpoint ? <span class="small"> (backup)</span> : null}</td>
      <td class={`num r ${l.poor ? "poor-count" : ""}`}>{number(l.points - l.poor)} / {number(l.points)}</td>
      <td class="num r">{number(l.reads)}</td>
      <td class="num r">{number(l.late_scans)}</td>
      <td class="num r">{number(l.reconnects)}</td>
      <td class="num r">{ms(l.round_trip_ms)} · {ms(l.round_trip_p50_ms)} · {ms(l.round_trip_p99_ms)}</td>
      <td class={expiry.soon ? "warn-text" : ""}>{expiry.words}</td>
      <td>
        <button type="button" class="quiet" aria-expanded={props.open} aria-controls={`link-${l.id}`} onClick={props.toggle}>
          {props.open ? "Less" : "More"}<span class="sr"> about link {l.id}</span>
        </button>
      </td>
    </tr>
  );
}

function Details(props: { link: LinkDetail }) {
  const l = props.link;
  const said = Object.entries(l.diagnostics);
  return (
    <tr class="link-details" id={`link-${l.id}`}>
      <td colSpan={10}>
        <dl class="facts">
          <div><dt>Commands</dt><dd>{plural(l.commands, "sent", "sent")}, {number(l.in_flight)} in flight</dd></div>
          <div><dt>Device held by</dt><dd>{l.lock_owner || "nobody"}</dd></div>
          <div><dt>Retries · timeouts</dt><dd>{number(l.retries)} · {number(l.timeouts)}</dd></div>
          <div><dt>Bytes in · out</dt><dd>{bytes(l.bytes_in)} · {bytes(l.bytes_out)}</dd></div>
          <div><dt>Frames in · out</dt><dd>{number(l.frames_in)} · {number(l.frames_out)}</dd></div>
          <div><dt>Frames bad · messages bad</dt><dd>{number(l.frame_errors)} · {number(l.protocol_errors)}</dd></div>
          <div><dt>Reports by event</dt><dd>{number(l.events)}</dd></div>
          {l.rejected_certificate ? <Rejected shown={l.rejected_certificate} /> : null}
          <div class="wide"><dt>Last error</dt><dd>{l.last_error ? <>{l.last_error}{l.last_error_at ? <>, <Time at={l.last_error_at} dated /> ({elapsed(l.last_error_at, live.value?.at)})</> : null}</> : "none since its start"}</dd></div>
          {said.map(([key, text]) => <div key={key}><dt>{key}</dt><dd>{text}</dd></div>)}
        </dl>
      </td>
    </tr>
  );
}

// Trust is decided on the field's host: docs/howto/connect-an-opcua-server.md says why.
function Rejected(props: { shown: RejectedCertificate }) {
  const c = props.shown;
  return (
    <div class="rejected" role="group" aria-label="Certificate that was refused">
      <dt>Certificate refused: {c.why}</dt>
      <dd>
        {c.subject} <span class="small">{c.application_uri}</span>
        <div>Thumbprint <span class="mono">{c.thumbprint.replace(/(.{8})(?=.)/g, "$1 ")}</span></div>
        <div class="small">SHA-256 <span class="mono">{c.sha256}</span></div>
        <div>Valid {c.valid_from.slice(0, 10)} to {c.valid_until.slice(0, 10)}</div>
        <div>When its owner has read out the same thumbprint, on the field's host: <code>{c.remedy}</code></div>
      </dd>
    </div>
  );
}

function ms(v: number | null): string {
  return v === null ? UNKNOWN : number(v, v < 10 ? 1 : 0);
}
