// Put an alarm aside for a while, with a reason (SG-28).
import { useState } from "preact/hooks";
import type { AlarmRow } from "../api";
import { call, explain } from "../net";
import { Dialog, Failure } from "./dialog";

const HOURS = [0.5, 1, 2, 4, 8];

export function ShelveDialog(props: { alarm: AlarmRow; onDone: () => void; onClose: () => void }) {
  const [hours, setHours] = useState(1);
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState("");
  const shelve = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<unknown>("POST", "alarms/shelve", { key: props.alarm.key, hours, reason });
    if (answer.ok) props.onDone();
    else setFailure(explain(answer.problem));
  };
  return (
    <Dialog title="Put this alarm aside?" onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void shelve(e)}>
        <p>{props.alarm.text}. It leaves the list and the tone until its time is over, and comes back by itself.</p>
        <label class="field">For
          <select value={hours} data-first onChange={(e) => setHours(Number(e.currentTarget.value))}>
            {HOURS.map((h) => <option key={h} value={h}>{h} h</option>)}
          </select>
        </label>
        <label class="field">Reason (it goes into the audit trail)
          <input required minLength={3} maxLength={400} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary">Put aside</button>
        </div>
      </form>
    </Dialog>
  );
}
