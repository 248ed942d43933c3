// Talking to the server. Every failure is a value with words in it.
import type { Problem, Session } from "./api";

const TIMEOUT_MS = 15_000;
/** Here 401 means "that proves nothing", not that the session is over. */
const PROOFS = new Set(["session", "session/password", "session/code", "session/key", "session/key-challenge", "set-up"]);

export type Answer<T> = { ok: true; value: T } | { ok: false; problem: Problem };

let csrf = "";
let onSignedOut: () => void = () => undefined;
let onStepUp: () => Promise<boolean> = () => Promise.resolve(false);

export function useSession(session: Session | null): void {
  csrf = session?.csrf ?? "";
}

/** Called when the server says that the session is over. */
export function whenSignedOut(call: () => void): void {
  onSignedOut = call;
}

/** Called when an act needs a fresh proof of the person; true: it came, the act is sent once more. */
export function whenStepUp(ask: () => Promise<boolean>): void {
  onStepUp = ask;
}

function problem(status: number, title: string, detail: string): Problem {
  return { type: "about:blank", title, status, code: "client", detail, reasons: [] };
}

export async function call<T>(
  method: "GET" | "POST" | "DELETE", path: string, body?: unknown,
): Promise<Answer<T>> {
  const first = await once<T>(method, path, body);
  if (first.ok || first.problem.code !== "step_up") return first;
  return (await onStepUp()) ? once<T>(method, path, body) : first;
}

async function once<T>(
  method: "GET" | "POST" | "DELETE", path: string, body?: unknown,
): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(`/api/v1/${path}`, {
      method, headers, credentials: "same-origin", cache: "no-store",
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const detail = late
      ? "The server did not answer in 15 s. What you asked for may or may not have happened."
      : "The server can not be reached. What you asked for may or may not have happened.";
    return { ok: false, problem: problem(0, "No answer", detail) };
  }
  if (answer.status === 204) return { ok: true, value: undefined as T };
  let value: unknown = null;
  try {
    value = await answer.json();
  } catch {
    if (answer.ok) {
      return { ok: false, problem: problem(answer.status, "Bad answer", "Not a JSON document.") };
    }
  }
  if (answer.ok) return { ok: true, value: value as T };
  if (answer.status === 401 && !PROOFS.has(path)) onSignedOut();
  const told = value as Partial<Problem> | null;
  const base = problem(answer.status, answer.statusText || `HTTP ${answer.status}`, "");
  return { ok: false, problem: { ...base, ...told } };
}

/** A problem as a sentence or two, the reasons first: they are what a person can act on. */
export function explain(p: Problem): string {
  const reasons = p.reasons.filter(Boolean);
  if (reasons.length > 0) return `${p.title}: ${reasons.join("; ")}.`;
  return p.detail ? `${p.title}: ${p.detail}` : p.title;
}
