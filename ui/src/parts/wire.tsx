// What passed the wire for one command, as the field's driver kept it.
import { useEffect, useState } from "preact/hooks";
import type { CommandDetail, Evidence } from "../api";
import { utcOf } from "../format";
import { call, explain } from "../net";
import { Failure } from "./dialog";

export function Wire(props: { command: string; state: string }) {
  const [kept, setKept] = useState<Evidence[] | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    let over = false;
    void call<CommandDetail>("GET", `commands/${encodeURIComponent(props.command)}`).then((answer) => {
      if (over) return;
      setFailure(answer.ok ? "" : explain(answer.problem));
      if (answer.ok) setKept(answer.value.evidence);
    });
    return () => { over = true; };
  }, [props.command, props.state]);
  if (failure) return <Failure text={failure} />;
  if (kept === null) return <span class="small">Loading…</span>;
  if (kept.length === 0) return <span class="small">Nothing is kept: it has not reached a wire (yet).</span>;
  return (
    <div class="wire">
      <div class="small">Command {props.command}. Times in UTC, octets in hexadecimal; the audit record holds each SHA-256.</div>
      {kept.map((one) => (
        <figure key={one.state}>
          <figcaption class="small">until {one.state}, {utcOf(one.at)}, SHA-256 <span class="mono">{one.sha256.slice(0, 16)}…</span></figcaption>
          <ol class="mono">{one.lines.map((line, at) => <Line key={at} text={line} />)}</ol>
        </figure>
      ))}
    </div>
  );
}

function Line(props: { text: string }) {
  const cut = props.text.lastIndexOf(" | ");
  if (cut < 0) return <li>{props.text}</li>;
  return <li>{props.text.slice(0, cut)}<div class="octets">{props.text.slice(cut + 3)}</div></li>;
}
