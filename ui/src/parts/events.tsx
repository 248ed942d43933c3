// The sequence of events: every change of the points that were chosen for it, in the device's time.
import { useEffect, useState } from "preact/hooks";
import type { FieldEvent } from "../api";
import { number, timeOf, utcOf } from "../format";
import { call, explain } from "../net";
import { Empty, Panel } from "./bits";
import { Failure } from "./dialog";

const PAGE = 100;
const REFRESH_MS = 5_000;

export function SequenceOfEvents() {
  const [rows, setRows] = useState<FieldEvent[] | null>(null);
  const [more, setMore] = useState(false);
  const [failure, setFailure] = useState("");
  const load = async (before: number | null): Promise<void> => {
    const query = `limit=${PAGE}${before === null ? "" : `&before=${before}`}`;
    const answer = await call<{ events: FieldEvent[] }>("GET", `events?${query}`);
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (!answer.ok) return;
    const got = answer.value.events;
    // What was paged in stays below what is new.
    setRows((old) => {
      if (before !== null) return [...(old ?? []), ...got];
      const oldest = got.at(-1)?.id ?? 0;
      return [...got, ...(old ?? []).filter((e) => e.id < oldest)];
    });
    if (before !== null || rows === null) setMore(got.length === PAGE);
  };
  useEffect(() => {
    void load(null);
    const timer = setInterval(() => void load(null), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Panel title="Sequence of events, newest first" aside={<span class="small">device time, to the millisecond</span>}>
      <Failure text={failure} />
      {rows === null ? <Empty>Waiting for data…</Empty> : rows.length === 0 ? (
        <Empty>No events yet. Points whose group has soe = true in gridctl.toml are listed here.</Empty>
      ) : (
        <>
          <table class="data dims">
            <thead><tr><th>Time</th><th>Point</th><th>Link</th><th class="r">Value</th><th>Quality</th></tr></thead>
            <tbody>
              {rows.map((e) => (
                <tr key={e.id}>
                  <td class="mono"><time title={`${utcOf(e.at)}, ${e.time_quality}`} dateTime={e.at}>{timeOf(e.at)}.{String(e.at_ms).padStart(3, "0")}</time>{e.time_quality === "synchronized" ? "" : " ?"}</td>
                  <td>{e.name} <span class="small mono">{e.point}</span></td>
                  <td>{e.link}</td>
                  <td class="num r">{number(e.value, Number.isInteger(e.value) ? 0 : 2)} {e.unit}</td>
                  <td>{e.quality === "good" ? "good" : <span class="poor-count">{e.quality}{e.flags.length ? `: ${e.flags.join(", ")}` : ""}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {more ? <button type="button" onClick={() => void load(rows.at(-1)?.id ?? null)}>Older</button> : null}
        </>
      )}
    </Panel>
  );
}
