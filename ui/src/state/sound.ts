// A tone while an alarm waits to be seen (SG-30): it repeats until somebody silences or acknowledges.
import { computed, effect, signal } from "@preact/signals";
import { live } from "./store";

const EVERY_MS = 2_000;
const TONES_HZ: Record<number, number> = { 1: 880, 2: 660, 3: 440 };

const silencedKeys = signal<ReadonlySet<string>>(new Set());
/** Off by this browser's user; a wall display may be mute. */
export const mute = signal(localStorage.getItem("gridctl.mute") === "yes");

/** Alarms that sound now: active, unseen, not silenced. */
export const sounding = computed(() => (live.value?.alarms.top ?? [])
  .filter((a) => a.state === "unacked" && !silencedKeys.value.has(a.key + a.raised)));

/** Quiet until another alarm comes. */
export function silence(): void {
  silencedKeys.value = new Set([...silencedKeys.value, ...sounding.value.map((a) => a.key + a.raised)].slice(-500));
}

let context: AudioContext | null = null;

function tone(hz: number): void {
  // A browser allows sound only after the person has done something here: signing in was that.
  context ??= new AudioContext();
  const at = context.currentTime;
  const gain = context.createGain();
  gain.gain.setValueAtTime(0.15, at);
  gain.gain.exponentialRampToValueAtTime(0.001, at + 0.4);
  const oscillator = context.createOscillator();
  oscillator.frequency.value = hz;
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + 0.4);
}

export function listenForAlarms(): void {
  effect(() => {
    localStorage.setItem("gridctl.mute", mute.value ? "yes" : "no");
  });
  setInterval(() => {
    const worst = sounding.value.reduce((p, a) => Math.min(p, a.priority), 4);
    const hz = TONES_HZ[worst];
    if (hz !== undefined && !mute.value) tone(hz);
  }, EVERY_MS);
}
