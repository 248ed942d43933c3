// Who may sign in (SG-31): accounts by SECADM, roles and areas by RBACMNT.
import { useEffect, useState } from "preact/hooks";
import type { UserList, UserRow } from "../api";
import { call, explain } from "../net";
import { Empty, Panel } from "../parts/bits";
import { Dialog, Failure } from "../parts/dialog";
import { announcement, session } from "../state/store";

function may(permission: string): boolean {
  return session.value?.may.includes(permission) ?? false;
}

export function Users() {
  const [all, setAll] = useState<UserList | null>(null);
  const [failure, setFailure] = useState("");
  const [link, setLink] = useState("");
  const [editing, setEditing] = useState<{ user: UserRow; what: "role" | "reset" | "remove" } | null>(null);
  const load = async (): Promise<void> => {
    const answer = await call<UserList>("GET", "users");
    if (answer.ok) setAll(answer.value);
    setFailure(answer.ok ? "" : explain(answer.problem));
  };
  useEffect(() => {
    void load();
  }, []);
  const done = (words: string, newLink = ""): void => {
    announcement.value = words;
    setEditing(null);
    setLink(newLink);
    void load();
  };
  return (
    <Panel title="Users" aside={<span class="small">accounts: SECADM; roles and areas: RBACMNT</span>}>
      <Failure text={failure} />
      {link ? <p class="told">Hand over this set-up link, good for 72 hours and once: <span class="mono wrap" data-link={link}>{link}</span></p> : null}
      {all === null ? <Empty>Loading…</Empty> : (
        <table class="data">
          <thead><tr><th>User</th><th>Name</th><th>Role</th><th>Areas</th><th>Second factor</th><th>From</th><th>Locked</th><th><span class="sr">Acts</span></th></tr></thead>
          <tbody>
            {all.users.map((u) => (
              <tr key={u.name}>
                <th scope="row">{u.name}</th>
                <td>{u.full_name}</td>
                <td>{u.role}</td>
                <td>{u.areas[0] === "*" ? "all" : u.areas.join(", ") || "none"}</td>
                <td>{[u.code ? "code generator" : "", u.keys > 0 ? `${u.keys} security key${u.keys > 1 ? "s" : ""}` : ""].filter(Boolean).join(", ") || "none"}</td>
                <td>{u.source === "local" ? "here" : u.source}</td>
                <td>{u.locked_s > 0 ? `${u.locked_s} s` : ""}</td>
                <td class="acts">
                  {may("roles") ? <button type="button" onClick={() => setEditing({ user: u, what: "role" })} aria-label={`Role of ${u.name}`}>Role…</button> : null}
                  {may("users") && u.source === "local" ? <button type="button" onClick={() => setEditing({ user: u, what: "reset" })} aria-label={`Reset ${u.name}`}>Reset…</button> : null}
                  {may("users") ? <button type="button" onClick={() => setEditing({ user: u, what: "remove" })} aria-label={`Remove ${u.name}`}>Remove…</button> : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {may("users") ? <Add onDone={done} /> : null}
      {editing && all ? editing.what === "role"
        ? <RoleDialog user={editing.user} all={all} onDone={done} onClose={() => setEditing(null)} />
        : editing.what === "reset" ? <ResetDialog user={editing.user} onDone={done} onClose={() => setEditing(null)} />
          : <RemoveDialog user={editing.user} onDone={done} onClose={() => setEditing(null)} /> : null}
    </Panel>
  );
}

type Done = (words: string, link?: string) => void;

function Add(props: { onDone: Done }) {
  const [name, setName] = useState("");
  const [fullName, setFullName] = useState("");
  const [failure, setFailure] = useState("");
  const add = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<{ link: string }>("POST", "users", { name, full_name: fullName });
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (!answer.ok) return;
    setName("");
    setFullName("");
    props.onDone(`User ${name} is made.`, answer.value.link);
  };
  return (
    <form class="say" onSubmit={(e) => void add(e)}>
      <label class="field">User name<input required maxLength={64} autoComplete="off" value={name} onInput={(e) => setName(e.currentTarget.value)} /></label>
      <label class="field">Name as colleagues know it<input required maxLength={64} autoComplete="off" value={fullName} onInput={(e) => setFullName(e.currentTarget.value)} /></label>
      <button type="submit">Add a person</button>
      <Failure text={failure} />
    </form>
  );
}

function RoleDialog(props: { user: UserRow; all: UserList; onDone: Done; onClose: () => void }) {
  const { user, all } = props;
  const [role, setRole] = useState(user.role);
  const [areas, setAreas] = useState<string[]>(user.areas[0] === "*" ? all.areas : user.areas);
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState("");
  const save = async (e: Event): Promise<void> => {
    e.preventDefault();
    const whole = areas.length === all.areas.length && user.areas[0] === "*";
    const answer = await call<unknown>("POST", `users/${encodeURIComponent(user.name)}/role`, { role, areas: whole ? ["*"] : areas, reason });
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (answer.ok) props.onDone(`${user.name} is ${role} now.`);
  };
  return (
    <Dialog title={`Role of ${user.name}`} onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void save(e)}>
        <label class="field">Role
          <select value={role} data-first onChange={(e) => setRole(e.currentTarget.value)}>
            {all.roles.map((r) => <option key={r} value={r}>{r}</option>)}
          </select>
        </label>
        <fieldset><legend>Areas that this person answers for</legend>
          {all.areas.map((a) => (
            <label key={a} class="tick"><input type="checkbox" checked={areas.includes(a)} onChange={(e) => {
              setAreas(e.currentTarget.checked ? [...areas, a] : areas.filter((x) => x !== a));
            }} /> {a}</label>
          ))}
        </fieldset>
        <label class="field">Reason (it goes into the audit trail)
          <input required minLength={3} maxLength={400} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary">Give this role</button>
        </div>
      </form>
    </Dialog>
  );
}

function ResetDialog(props: { user: UserRow; onDone: Done; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState("");
  const reset = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<{ link: string }>("POST", `users/${encodeURIComponent(props.user.name)}/reset`, { reason });
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (answer.ok) props.onDone(`${props.user.name} is reset.`, answer.value.link);
  };
  return (
    <Dialog title={`Reset ${props.user.name}?`} onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void reset(e)}>
        <p>Password, code generator, security keys and open sessions of {props.user.full_name} are over. A link to begin again is shown.</p>
        <label class="field">Reason (it goes into the audit trail)
          <input required minLength={3} maxLength={400} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" data-first onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary">Reset</button>
        </div>
      </form>
    </Dialog>
  );
}

function RemoveDialog(props: { user: UserRow; onDone: Done; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState("");
  const remove = async (e: Event): Promise<void> => {
    e.preventDefault();
    const answer = await call<unknown>("POST", `users/${encodeURIComponent(props.user.name)}/remove`, { reason });
    setFailure(answer.ok ? "" : explain(answer.problem));
    if (answer.ok) props.onDone(`${props.user.name} is removed.`);
  };
  return (
    <Dialog title={`Remove ${props.user.name}?`} onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void remove(e)}>
        <p>{props.user.full_name} can not sign in any more, open sessions end now. What was done under this name stays in the audit trail.</p>
        <label class="field">Reason (it goes into the audit trail)
          <input required minLength={3} maxLength={400} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <Failure text={failure} />
        <div class="actions">
          <button type="button" data-first onClick={props.onClose}>Cancel</button>
          <button type="submit" class="primary">Remove</button>
        </div>
      </form>
    </Dialog>
  );
}
