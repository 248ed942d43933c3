// What the console knows. Signals only; the screens read them.
import { computed, effect, signal } from "@preact/signals";
import type { Feeder, Session } from "../api";
import { siteOffset } from "../format";
import { call, useSession, whenSignedOut } from "../net";
import { merge, type Live } from "./merge";
import { liveness } from "./stale";
import { Stream } from "./stream";

export const session = signal<Session | null | undefined>(undefined); // undefined: not asked yet
export const feeder = signal<Feeder | null>(null);
export const feederProblem = signal("");
export const live = signal<Live | null>(null);
export const connected = signal(false);
/** Browser milliseconds, four times a second: ages and countdowns follow it. */
export const now = signal(performance.now());
/** The same once a second, for things that need not be redrawn more often. */
export const second = computed(() => Math.floor(now.value / 1000) * 1000);
export const state = computed(() => liveness(live.value?.rx ?? null, now.value));
export const fresh = computed(() => state.value === "live");
/** Spoken by screen readers. */
export const announcement = signal("");

export type Theme = "auto" | "dark" | "light";
const THEMES: Theme[] = ["auto", "dark", "light"];
function savedTheme(): Theme {
  const saved = localStorage.getItem("gridctl.theme") as Theme | null;
  return saved !== null && THEMES.includes(saved) ? saved : "auto";
}
export const theme = signal<Theme>(savedTheme());
const prefersLight = matchMedia("(prefers-color-scheme: light)");
export const systemLight = signal(prefersLight.matches);
export const palette = computed<"dark" | "light">(() => {
  if (theme.value !== "auto") return theme.value;
  return systemLight.value ? "light" : "dark";
});

const stream = new Stream({
  frame(frame) {
    live.value = merge(live.value, frame, performance.now());
  },
  open(isOpen) {
    connected.value = isOpen;
    // A server that has been away may have come back with another model.
    if (isOpen && session.value) void loadFeeder();
  },
  async refused() {
    // The socket does not tell why it was refused; the session does.
    const answer = await call<Session>("GET", "session");
    if (!answer.ok && answer.problem.status === 401) signOut();
  },
});

export function signOut(): void {
  stream.stop();
  useSession(null);
  live.value = null;
  session.value = null;
}

export function signIn(found: Session): void {
  useSession(found);
  session.value = found;
  // Who administers accounts has no picture of the grid.
  if (found.may.includes("view")) stream.start();
}

export async function loadFeeder(): Promise<void> {
  const answer = await call<Feeder>("GET", "feeder");
  if (answer.ok) siteOffset.value = answer.value.utc_offset_s;
  if (answer.ok && answer.value.digest !== feeder.value?.digest) feeder.value = answer.value;
  feederProblem.value = answer.ok ? "" : answer.problem.title;
}

export async function begin(): Promise<void> {
  whenSignedOut(signOut);
  setInterval(() => {
    now.value = performance.now();
  }, 250);
  prefersLight.addEventListener("change", (e) => {
    systemLight.value = e.matches;
  });
  effect(() => {
    document.documentElement.dataset["theme"] = palette.value;
    localStorage.setItem("gridctl.theme", theme.value);
  });
  const answer = await call<Session>("GET", "session");
  if (answer.ok) signIn(answer.value);
  else session.value = null;
}
