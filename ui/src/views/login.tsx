import { useEffect, useState } from "preact/hooks";
import type { Proof, Session, Unproved, Ways } from "../api";
import { call, explain } from "../net";
import { Failure } from "../parts/dialog";
import { otherOrigin, Prove } from "../parts/prove";
import { signIn } from "../state/store";

export function Login() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const [ways, setWays] = useState<Ways | null>(null);
  const [more, setMore] = useState<{ ticket: string; methods: Proof[] } | null>(null);
  useEffect(() => {
    void call<Ways>("GET", "sign-in").then((answer) => {
      if (answer.ok) setWays(answer.value);
    });
  }, []);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setFailure("");
    const answer = await call<Session>("POST", "session", { user: user.trim(), password });
    setBusy(false);
    if (answer.ok) signIn(answer.value);
    else if (answer.problem.code === "second_factor") setMore(answer.problem as Unproved);
    else setFailure(answer.problem.status === 401
      ? "User or password is not right." : explain(answer.problem));
  };
  const secret = { autoComplete: "current-password", required: true, value: password, spellcheck: false };
  if (more !== null) {
    const elsewhere = more.methods.includes("key") ? otherOrigin(ways) : "";
    return (
      <main class="login">
        <section class="panel">
          <h1><Mark /> gridctl</h1>
          <p class="sub">One more proof that you are {user.trim()}</p>
          {elsewhere ? <p>Your security key works at <a href={elsewhere}>{elsewhere}</a>.</p> : null}
          <Prove ticket={more.ticket} methods={more.methods} onDone={signIn} />
          <button type="button" onClick={() => setMore(null)}>Back</button>
        </section>
      </main>
    );
  }
  return (
    <main class="login">
      <form class="panel" onSubmit={(e) => void submit(e)}>
        <h1><Mark /> gridctl</h1>
        <p class="sub">Demand-response control</p>
        <label class="field">User
          <input autoComplete="username" required value={user} autoFocus
            autoCapitalize="none" spellcheck={false}
            onInput={(e) => setUser(e.currentTarget.value)} />
        </label>
        <label class="field">Password
          <span class="with-button">
            {shown
              ? <input type="text" {...secret} onInput={(e) => setPassword(e.currentTarget.value)} />
              : <input type="password" {...secret} onInput={(e) => setPassword(e.currentTarget.value)} />}
            <button type="button" aria-pressed={shown} onClick={() => setShown(!shown)}>
              {shown ? "Hide" : "Show"}
            </button>
          </span>
        </label>
        <Failure text={failure} />
        <button type="submit" class="primary" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
        {ways?.provider ? <a class="button" href="/oidc/start">Sign in with your organisation</a> : null}
        <p class="note">
          To stop all dispatch without signing in, run <code>gridctl stop</code> on the site's host.
        </p>
      </form>
    </main>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <path d="M3 8h18M8 8v8h8M15 8v4h6" />
      <circle cx="8" cy="8" r="2.2" /><circle cx="15" cy="8" r="2.2" class="lit" />
    </svg>
  );
}
