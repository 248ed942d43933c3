// The first password, by a link that is good once.
import { useState } from "preact/hooks";
import { call, explain } from "../net";
import { Failure } from "../parts/dialog";
import { go } from "../router";
import { Mark } from "./login";

export function SetUp(props: { token: string }) {
  const [password, setPassword] = useState("");
  const [failure, setFailure] = useState("");
  const [user, setUser] = useState("");
  const choose = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<{ user: string }>("POST", "set-up", { token: props.token, password });
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (answer.ok) setUser(answer.value.user);
  };
  return (
    <main class="login">
      <form class="panel" onSubmit={(e) => void choose(e)}>
        <h1><Mark /> gridctl</h1>
        {user ? (
          <>
            <p role="status">Your password is set. Your user name is <b>{user}</b>.</p>
            <button type="button" class="primary" onClick={() => go("overview")}>Sign in</button>
          </>
        ) : (
          <>
            <p class="sub">Choose a password</p>
            <label class="field">New password
              <input type="password" autoComplete="new-password" required minLength={8} value={password} autoFocus
                onInput={(e) => setPassword(e.currentTarget.value)} />
            </label>
            <p class="note">15 characters or more are good. No rules about capitals or signs; your name, rows of the keyboard and known lost passwords are refused.</p>
            <Failure text={failure} />
            <button type="submit" class="primary">Set the password</button>
          </>
        )}
      </form>
    </main>
  );
}
