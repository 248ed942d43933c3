// Proving who one is: a code, a security key, the password once more (SG-07).
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { Proof, Session, Ways } from "../api";
import { call, explain, useSession } from "../net";
import { session } from "../state/store";
import { Dialog, Failure } from "./dialog";

interface ProveProps {
  ticket: string;
  methods: Proof[];
  onDone: (found: Session) => void;
}

/** One way after the other, as the account has them. */
export function Prove(props: ProveProps) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const [words, setWords] = useState("");
  const has = (method: Proof): boolean => props.methods.includes(method);
  const send = async (path: string, body: Record<string, unknown>): Promise<void> => {
    setBusy(true);
    setFailure("");
    const answer = await call<Session>("POST", path, { ticket: props.ticket, ...body });
    setBusy(false);
    setWords("");
    if (answer.ok) props.onDone(answer.value);
    else setFailure(explain(answer.problem));
  };
  const byKey = async (): Promise<void> => {
    setBusy(true);
    setFailure("");
    const asked = await signature(props.ticket);
    setBusy(false);
    if (typeof asked === "string") setFailure(asked);
    else await send("session/key", { credential: asked });
  };
  const typed = has("code")
    ? { path: "session/code", field: "code", label: "Code of your generator", button: "Continue" }
    : { path: "session/password", field: "password", label: "Your password", button: "Continue" };
  return (
    <div class="stack">
      {has("key") ? (
        <button type="button" class="primary" disabled={busy} onClick={() => void byKey()}>Use a security key</button>
      ) : null}
      {has("code") || has("password") ? (
        <form onSubmit={(e) => {
          e.preventDefault();
          void send(typed.path, { [typed.field]: words });
        }}>
          <label class="field">{typed.label}
            {has("code")
              ? <input inputMode="numeric" autoComplete="one-time-code" required data-first value={words} onInput={(e) => setWords(e.currentTarget.value)} />
              : <input type="password" autoComplete="current-password" required data-first value={words} onInput={(e) => setWords(e.currentTarget.value)} />}
          </label>
          <div class="actions"><button type="submit" class="primary" disabled={busy}>{typed.button}</button></div>
        </form>
      ) : null}
      {has("recovery") ? <RecoveryCode busy={busy} onCode={(code) => void send("session/recovery", { code })} /> : null}
      {has("provider") ? <p><a href="/oidc/start">Sign in again at your organisation</a>, then come back to this plan.</p> : null}
      <Failure text={failure} />
    </div>
  );
}

/** For who has lost generator and key. */
function RecoveryCode(props: { busy: boolean; onCode: (code: string) => void }) {
  const [code, setCode] = useState("");
  return (
    <details>
      <summary>I have lost it: use a recovery code</summary>
      <form onSubmit={(e) => {
        e.preventDefault();
        props.onCode(code);
      }}>
        <label class="field">Recovery code
          <input autoComplete="off" spellcheck={false} required value={code} onInput={(e) => setCode(e.currentTarget.value)} />
        </label>
        <div class="actions"><button type="submit" disabled={props.busy}>Continue</button></div>
      </form>
    </details>
  );
}

/** What the person's key has signed, or why there is nothing. */
async function signature(ticket: string): Promise<unknown> {
  const asked = await call<{ publicKey: PublicKeyCredentialRequestOptionsJSON }>("POST", "session/key-challenge", { ticket });
  if (!asked.ok) return explain(asked.problem);
  try {
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(asked.value.publicKey);
    const found = await navigator.credentials.get({ publicKey: options });
    return found instanceof PublicKeyCredential ? found.toJSON() : "No security key has answered.";
  } catch (error) {
    return keyTrouble(error);
  }
}

export function keyTrouble(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The security key was not used in time, or it is none of yours.";
  if (name === "InvalidStateError") return "This security key is enrolled already.";
  if (name === "SecurityError") return "The browser takes no security key at this address.";
  return "The security key could not be used.";
}

/** Where security keys work, when that is not here. */
export function otherOrigin(ways: Pick<Ways, "key_origin"> | null): string {
  const origin = ways?.key_origin;
  return origin && origin !== location.origin ? origin : "";
}

interface Asking { ticket: string; methods: Proof[]; settle: (proved: boolean) => void }
const asking = signal<Asking | null>(null);

/** Ask the person for a fresh proof; whether it came. */
export async function askForProof(): Promise<boolean> {
  const answer = await call<{ ticket: string; methods: Proof[] }>("POST", "session/prove", {});
  if (!answer.ok) return false;
  return new Promise((settle) => {
    asking.value = { ...answer.value, settle };
  });
}

export function ProofDialog() {
  const now = asking.value;
  if (now === null) return null;
  const end = (proved: boolean): void => {
    asking.value = null;
    now.settle(proved);
  };
  return (
    <Dialog title="Prove again who you are" onClose={() => end(false)}>
      <p>This act needs a fresh proof (SG-07). Nothing has happened yet.</p>
      <Prove ticket={now.ticket} methods={now.methods} onDone={(found) => {
        useSession(found);
        session.value = found;
        end(true);
      }} />
      <div class="actions"><button type="button" onClick={() => end(false)}>Cancel</button></div>
    </Dialog>
  );
}
