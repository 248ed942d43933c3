import { number, UNKNOWN } from "../format";
import { Empty, Panel } from "../parts/bits";
import { live } from "../state/store";

export function Comms() {
  const l = live.value;
  return (
    <Panel title="Links between the field agent and the devices" aside={
      <span class={`chip link ${l?.field_connected ? "ok" : "bad"}`}><i aria-hidden="true" />
        {l ? (l.field_connected ? "field agent connected" : "field agent NOT connected") : UNKNOWN}</span>
    }>
      {!l ? <Empty>Waiting for data…</Empty> : (
        <table class="data comms dims">
          <thead><tr><th>Link</th><th>State</th><th>Protocol</th><th>Endpoint</th><th class="r">Points</th><th class="r">Reads</th><th class="r">Late scans</th><th class="r">Commands</th><th class="r">Reconnects</th><th class="r">Round trip, ms</th><th>Detail</th></tr></thead>
          <tbody>
            {l.links.map((k) => (
              <tr key={k.id}>
                <th scope="row">{k.id}</th>
                <td><span class={`chip link ${k.state === "up" ? "ok" : "bad"}`}><i aria-hidden="true" />{k.state}</span></td>
                <td>{k.protocol}</td><td class="mono">{k.endpoint}</td>
                <td class="num r">{number(k.points)}</td><td class="num r">{number(k.reads)}</td>
                <td class="num r">{number(k.late_scans)}</td><td class="num r">{number(k.commands)}</td>
                <td class="num r">{number(k.reconnects)}</td>
                <td class="num r">{k.round_trip_ms === null ? UNKNOWN : number(k.round_trip_ms, 1)}</td>
                <td>{k.detail}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
