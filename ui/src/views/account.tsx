// One's own account: a code generator, security keys.
import { useEffect, useState } from "preact/hooks";
import type { Factors } from "../api";
import { dateTimeOf } from "../format";
import { call, explain } from "../net";
import { Empty, Panel } from "../parts/bits";
import { Failure } from "../parts/dialog";
import { keyTrouble, otherOrigin } from "../parts/prove";
import { announcement, session } from "../state/store";

export function Account() {
  const [held, setHeld] = useState<Factors | null>(null);
  const [failure, setFailure] = useState("");
  const load = async (): Promise<void> => {
    const answer = await call<Factors>("GET", "factors");
    if (answer.ok) setHeld(answer.value);
    else setFailure(explain(answer.problem));
  };
  useEffect(() => {
    void load();
  }, []);
  const me = session.value;
  return (
    <div class="account">
      {me?.lacks_factor ? (
        <p class="failure" role="alert">Your role acts with a second factor only. Enrol one here, then sign out and in again.</p>
      ) : null}
      <Failure text={failure} />
      {held === null ? <Empty>Loading…</Empty> : (
        <>
          <Generator held={held} onDone={() => void load()} />
          <Keys held={held} onDone={() => void load()} />
          <Recovery held={held} onDone={() => void load()} />
        </>
      )}
    </div>
  );
}

function Generator(props: { held: Factors; onDone: () => void }) {
  const [made, setMade] = useState<Made | null>(null);
  const [code, setCode] = useState("");
  const [failure, setFailure] = useState("");
  const begin = async (): Promise<void> => {
    const answer = await call<Made>("POST", "factors/code", {});
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (answer.ok) setMade(answer.value);
  };
  const confirm = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<unknown>("POST", "factors/code/confirm", { code });
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (!answer.ok) return;
    setMade(null);
    setCode("");
    announcement.value = "The code generator is enrolled.";
    props.onDone();
  };
  return (
    <Panel title="Code generator" aside={<span class="small">{props.held.code ? "enrolled" : "not enrolled"}</span>}>
      <p>An app on your telephone shows six digits that change every 30 seconds. Each code is good once.</p>
      {made === null ? (
        <button type="button" disabled={!props.held.codes_possible} onClick={() => void begin()}>
          {props.held.code ? "Enrol another generator…" : "Enrol a generator…"}
        </button>
      ) : (
        <form class="stack" onSubmit={(e) => void confirm(e)}>
          <p>Let the app see this code, type the secret into it, or open <a href={made.uri}>the address for an app on this device</a>. It is shown this once.</p>
          <svg class="qr" viewBox={`0 0 ${made.qr.size} ${made.qr.size}`} role="img" aria-label="QR code of the secret">
            <rect width={made.qr.size} height={made.qr.size} fill="#fff" /><path d={made.qr.path} fill="#000" />
          </svg>
          <p class="mono secret" data-secret={made.secret}>{made.secret.replace(/(.{4})/g, "$1 ").trim()}</p>
          <label class="field">The code that the app shows now
            <input inputMode="numeric" autoComplete="one-time-code" required value={code} onInput={(e) => setCode(e.currentTarget.value)} />
          </label>
          <div class="actions">
            <button type="button" onClick={() => setMade(null)}>Cancel</button>
            <button type="submit" class="primary">Confirm</button>
          </div>
        </form>
      )}
      <Failure text={failure} />
    </Panel>
  );
}

interface Made { secret: string; uri: string; qr: { size: number; path: string } }

function Recovery(props: { held: Factors; onDone: () => void }) {
  const [codes, setCodes] = useState<string[] | null>(null);
  const [failure, setFailure] = useState("");
  const left = props.held.recovery_left;
  const enrolled = props.held.code || props.held.keys.length > 0;
  const make = async (): Promise<void> => {
    const answer = await call<{ codes: string[] }>("POST", "factors/recovery", {});
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (!answer.ok) return;
    setCodes(answer.value.codes);
    props.onDone();
  };
  return (
    <Panel title="Recovery codes" aside={<span class="small">{left} are good</span>}>
      <p>For the day on which your generator or key is lost: each lets you in once, to look, to STOP and to enrol another. Print them and lock them away.</p>
      {codes === null ? (
        <button type="button" disabled={!enrolled} onClick={() => void make()}>
          {left > 0 ? "Make new ones; those before end…" : "Make recovery codes…"}
        </button>
      ) : (
        <>
          <ol class="mono recovery">{codes.map((code) => <li key={code}>{code}</li>)}</ol>
          <p>They are shown this once.</p>
          <button type="button" onClick={() => setCodes(null)}>I have them on paper</button>
        </>
      )}
      <Failure text={failure} />
    </Panel>
  );
}

function Keys(props: { held: Factors; onDone: () => void }) {
  const [label, setLabel] = useState("");
  const [failure, setFailure] = useState("");
  const elsewhere = otherOrigin(props.held);
  const enrol = async (e: Event): Promise<void> => {
    e.preventDefault();
    setFailure("");
    const asked = await call<{ publicKey: PublicKeyCredentialCreationOptionsJSON }>("POST", "factors/key", {});
    if (!asked.ok) {
      setFailure(explain(asked.problem));
      return;
    }
    try {
      const options = PublicKeyCredential.parseCreationOptionsFromJSON(asked.value.publicKey);
      const found = await navigator.credentials.create({ publicKey: options });
      if (!(found instanceof PublicKeyCredential)) throw new DOMException("", "NotAllowedError");
      const answer = await call<unknown>("POST", "factors/key/confirm", { label, credential: found.toJSON() });
      if (!answer.ok) {
        setFailure(explain(answer.problem));
        return;
      }
      setLabel("");
      announcement.value = "The security key is enrolled.";
      props.onDone();
    } catch (error) {
      setFailure(keyTrouble(error));
    }
  };
  return (
    <Panel title="Security keys" aside={<span class="small">{props.held.keys.length} enrolled</span>}>
      <ul>{props.held.keys.map((k) => <li key={k.id}><b>{k.label}</b>, since {dateTimeOf(k.added)}</li>)}</ul>
      {props.held.key_origin === null ? <p>Security keys need a console with a host name ([users].origin).</p>
        : elsewhere ? <p>Browsers bind keys to a name: open <a href={`${elsewhere}/#/account`}>{elsewhere}</a> to enrol or use one.</p> : (
        <form class="say" onSubmit={(e) => void enrol(e)}>
          <label class="field">Name of the key
            <input required maxLength={40} value={label} onInput={(e) => setLabel(e.currentTarget.value)} />
          </label>
          <button type="submit">Enrol a security key…</button>
        </form>
      )}
      <Failure text={failure} />
    </Panel>
  );
}
