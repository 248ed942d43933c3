// STOP (SG-21): on every screen, one key, one confirmation, no second factor.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { number } from "../format";
import { call, explain } from "../net";
import { announcement, live, session } from "../state/store";
import { Dialog, Failure } from "./dialog";

type Question = "stop" | "resume" | "return" | null;
export const question = signal<Question>(null);
/** What the server said to the last STOP, until the stream shows it. */
export const stopped = signal<{ latency_s: number } | null>(null);

export const STOP_KEY = "F9";

export function askStop(): void {
  if (session.value) question.value = "stop";
}

export function listenForStop(): void {
  addEventListener("keydown", (e) => {
    if (e.key !== STOP_KEY || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    askStop();
  }, { capture: true });
}

export function mayOperate(): boolean {
  const role = session.value?.role;
  return role === "OPERATOR" || role === "SUPERVISOR";
}

export function StopButton() {
  const may = session.value?.may.includes("stop") ?? false;
  if (!may) return null;
  return (
    <button type="button" class="stop" onClick={askStop} aria-keyshortcuts={STOP_KEY}
      title={`Stop all dispatch (${STOP_KEY})`}>
      <span class="stop-mark" aria-hidden="true" />STOP<kbd>{STOP_KEY}</kbd>
    </button>
  );
}

export function StopDialogs() {
  switch (question.value) {
    case "stop": return <StopDialog />;
    case "resume": return <ReasonDialog key="resume" which="resume" />;
    case "return": return <ReasonDialog key="return" which="return" />;
    default: return null;
  }
}

const close = (): void => {
  question.value = null;
};

function StopDialog() {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const [reason, setReason] = useState("Operator stop");
  const running = live.value?.plans.filter((p) => p.state === "active" || p.state === "approved") ?? [];
  const stop = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setFailure("");
    const answer = await call<{ stopped: true; latency_s: number }>(
      "POST", "stop", { reason: reason.trim() || "Operator stop" },
    );
    setBusy(false);
    if (!answer.ok) {
      setFailure(`${explain(answer.problem)} STOP is not confirmed. On the site's host run: gridctl stop`);
      return;
    }
    stopped.value = { latency_s: answer.value.latency_s };
    announcement.value = "All dispatch is stopped.";
    close();
  };
  return (
    <Dialog title="Stop all dispatch?" onClose={close} class="stop-dialog" withoutStop>
      <form onSubmit={(e) => void stop(e)}>
        <p>
          No new command leaves, the queue is emptied, and what has been selected is not operated.
          {running.length > 0
            ? ` ${running.length === 1 ? "One plan runs" : `${number(running.length)} plans run`} now: `
              + running.map((p) => p.id).join(", ") + "."
            : " No plan runs now."}
        </p>
        <p>Setpoints that devices already hold stay until their leases run out.</p>
        <label class="field">Reason (optional)
          <input value={reason} onInput={(e) => setReason(e.currentTarget.value)} maxLength={200} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="submit" class="stop wide" data-first disabled={busy}>
            {busy ? "Stopping…" : "Stop all dispatch now"}
          </button>
          <button type="button" onClick={close}>Cancel</button>
        </div>
      </form>
    </Dialog>
  );
}

const TEXTS = {
  resume: {
    title: "Resume dispatch?", path: "resume", button: "Resume dispatch",
    text: "Plans may be approved and released again. Plans that were stopped stay stopped.",
  },
  return: {
    title: "Return the area to default?", path: "return-to-default", button: "Return to default",
    text: "Every device is asked to go back to its default setpoint now, instead of when its lease "
      + "runs out. Load comes back and may rise above what it was (rebound).",
  },
} as const;

function ReasonDialog(props: { which: keyof typeof TEXTS }) {
  const t = TEXTS[props.which];
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const [reason, setReason] = useState("");
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    const answer = await call<unknown>("POST", t.path, { reason: reason.trim() });
    setBusy(false);
    if (!answer.ok) {
      setFailure(explain(answer.problem));
      return;
    }
    announcement.value = `${t.button}: done.`;
    if (props.which === "resume") stopped.value = null;
    close();
  };
  return (
    <Dialog title={t.title} onClose={close} withoutStop={props.which === "resume"}>
      <form onSubmit={(e) => void submit(e)}>
        <p>{t.text}</p>
        <label class="field">Reason (it goes into the audit trail)
          <textarea rows={2} required minLength={3} maxLength={400} value={reason}
            onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" data-first onClick={close}>Cancel</button>
          <button type="submit" class="primary" disabled={busy || reason.trim().length < 3}>
            {t.button}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
