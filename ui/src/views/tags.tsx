// Tags on devices (SG-26): what hangs where, who has placed it, and whether the field enforces it.
import { useState } from "preact/hooks";
import type { Tag, TagKind } from "../api";
import { sentence, SITE_TIME } from "../format";
import { call, explain } from "../net";
import { Empty, Panel, Time } from "../parts/bits";
import { Dialog, Failure } from "../parts/dialog";
import { TAG_LETTER, TAG_MEANS, TagMark } from "../parts/tagmark";
import { announcement, feeder, live, session } from "../state/store";

const HOURS = [0, 1, 2, 4, 8, 12, 24];

function may(): boolean {
  return session.value?.may.includes("tag") ?? false;
}

function nameOf(device: string): string {
  return feeder.value?.resources.find((r) => r.id === device)?.name ?? device;
}

export function Tags() {
  const [placing, setPlacing] = useState(false);
  const [removing, setRemoving] = useState<Tag | null>(null);
  const all = live.value?.tags;
  const done = (words: string): void => {
    announcement.value = words;
    setPlacing(false);
    setRemoving(null);
  };
  return (
    <Panel title="Tags on devices" aside={
      <button type="button" class="primary" disabled={!may()} onClick={() => setPlacing(true)}>Place a tag…</button>
    }>
      <ul class="tag-means">
        {(Object.keys(TAG_MEANS) as TagKind[]).map((k) => (
          <li key={k}><TagMark kind={k} /> <b>{k}</b>: {TAG_MEANS[k]}</li>
        ))}
      </ul>
      {all === undefined ? <Empty>Loading…</Empty> : all.length === 0 ? <Empty>No device is tagged.</Empty> : (
        <table class="data dims">
          <thead><tr><th>Device</th><th>Tag</th><th>Reason</th><th>Work order</th><th>Placed by</th><th>Since, {SITE_TIME}</th><th>Until</th><th>In the field</th><th><span class="sr">Acts</span></th></tr></thead>
          <tbody>
            {all.map((t) => (
              <tr key={t.id}>
                <th scope="row">{nameOf(t.device)} <span class="small">{t.device}</span></th>
                <td><TagMark kind={t.kind} /> {t.kind} <span class="small mono">{t.id}</span></td>
                <td class="wrap">{sentence(t.reason)}
                  {t.removal ? <span class="small"> {t.removal.by} wants it removed: {t.removal.reason}. Another person has to agree.</span> : null}</td>
                <td>{t.work_order}</td>
                <td>{t.by}</td>
                <td class="num"><Time at={t.at} dated /></td>
                <td class="num">{t.until ? <Time at={t.until} dated /> : "no end"}</td>
                <td>{t.in_field === null ? "not needed" : t.in_field ? "enforced" : <b class="s-warn">◆ not yet</b>}</td>
                <td><button type="button" disabled={!may()} onClick={() => setRemoving(t)}
                  aria-label={`Remove tag ${t.id} from ${t.device}`}>Remove…</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {placing ? <PlaceDialog onClose={() => setPlacing(false)} onDone={done} /> : null}
      {removing ? <RemoveDialog tag={removing} onClose={() => setRemoving(null)} onDone={done} /> : null}
    </Panel>
  );
}

function PlaceDialog(props: { onClose: () => void; onDone: (words: string) => void }) {
  const [device, setDevice] = useState("");
  const [kind, setKind] = useState<TagKind>("control inhibit");
  const [reason, setReason] = useState("");
  const [order, setOrder] = useState("");
  const [hours, setHours] = useState(0);
  const [failure, setFailure] = useState("");
  const devices = [...(feeder.value?.resources ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  const held = live.value?.resources[device]?.lease_left_s ?? 0;
  const place = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<Tag>("POST", "tags", { device, kind, reason, work_order: order, hours });
    if (!answer.ok) {
      setFailure(explain(answer.problem));
      return;
    }
    const where = answer.value.in_field === false ? " It is on its way to the field." : "";
    props.onDone(`Tagged: ${nameOf(device)}, ${kind}.${where}`);
  };
  return (
    <Dialog title="Place a tag" onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void place(e)}>
        <label class="field">Device
          <select required data-first value={device} onChange={(e) => setDevice(e.currentTarget.value)}>
            <option value="">Choose…</option>
            {devices.map((r) => <option key={r.id} value={r.id}>{r.name} ({r.id}, {r.area})</option>)}
          </select>
        </label>
        <label class="field">Kind
          <select value={kind} onChange={(e) => setKind(e.currentTarget.value as TagKind)}>
            {(Object.keys(TAG_LETTER) as TagKind[]).map((k) => <option key={k} value={k}>{k}</option>)}
          </select>
        </label>
        <p class="small">{sentence(TAG_MEANS[kind])}</p>
        {held > 0 && kind === "control inhibit" ? (
          <p class="failure">The device holds a setpoint now. It stays there until the device's own timer ends it: return the area to default first if that matters.</p>
        ) : null}
        <label class="field">Reason (everybody reads it, and the audit keeps it)
          <textarea rows={3} required minLength={3} maxLength={500} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <label class="field">Work order
          <input maxLength={100} value={order} onInput={(e) => setOrder(e.currentTarget.value)} />
        </label>
        <label class="field">For
          <select value={hours} onChange={(e) => setHours(Number(e.currentTarget.value))}>
            {HOURS.map((h) => <option key={h} value={h}>{h === 0 ? "until it is removed" : `${h} h${kind === "caution" ? "" : ", then ask whether it may go"}`}</option>)}
          </select>
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary">Place tag</button>
        </div>
      </form>
    </Dialog>
  );
}

function RemoveDialog(props: { tag: Tag; onClose: () => void; onDone: (words: string) => void }) {
  const t = props.tag;
  const me = session.value?.user;
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState("");
  const words = t.by === me ? "You have placed it: it is gone at once."
    : t.removal && t.removal.by !== me ? `${t.removal.by} has asked for it (${t.removal.reason}). With your yes it is gone.`
      : t.removal ? `You have asked for it. Another person has to agree, and one of the two must be a supervisor.`
        : `${t.by} has placed it. You ask for its removal; another person has to agree, and one of the two must be a supervisor.`;
  const remove = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<{ tag: Tag | null }>("POST", `tags/${encodeURIComponent(t.id)}/remove`, { reason });
    if (!answer.ok) setFailure(explain(answer.problem));
    else props.onDone(answer.value.tag === null ? `The tag on ${nameOf(t.device)} is gone.` : "Your wish is recorded. Another person has to agree.");
  };
  return (
    <Dialog title={`Remove the ${t.kind} from ${nameOf(t.device)}?`} onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void remove(e)}>
        <p>{sentence(t.reason)}{t.work_order ? ` Work order ${t.work_order}.` : ""} {words}</p>
        <label class="field">Reason (it goes into the audit trail)
          <input required minLength={3} maxLength={400} data-first value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary">{t.by === me ? "Remove tag" : t.removal && t.removal.by !== me ? "Agree and remove" : "Ask for removal"}</button>
        </div>
      </form>
    </Dialog>
  );
}
