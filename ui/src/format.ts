// Numbers and times as they are shown. What is not known is "?", never zero.
// Times are the site's, never the browser's: an operator may sit in another time zone than the
// feeder. UTC stands in the tool tip.
import { signal } from "@preact/signals";
import type { Held } from "./api";

export const UNKNOWN = "?";
const MINUS = "\u2212";
const THIN = "\u202f";

export function number(v: number | null | undefined, digits = 0): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return UNKNOWN;
  const fixed = Math.abs(v).toFixed(digits);
  const [whole = "", part] = fixed.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
  const negative = v < 0 && Number(fixed) !== 0;
  return (negative ? MINUS : "") + grouped + (part === undefined ? "" : `.${part}`);
}

/** Small powers get one decimal, so that 0.4 kW is not drawn as nothing. */
export function kw(v: number | null | undefined): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return UNKNOWN;
  return number(v, Math.abs(v) < 10 && v !== 0 ? 1 : 0);
}

export function signedKw(v: number | null | undefined): string {
  const text = kw(v);
  return v !== null && v !== undefined && v > 0 && text !== UNKNOWN ? `+${text}` : text;
}

export function pu(v: number | null | undefined): string {
  return number(v, 3);
}

export function pct(v: number | null | undefined, digits = 0): string {
  return number(v, digits);
}

/** A length of time in the two largest units that matter: "42 s", "3 min 05 s", "2 h 10 min". */
export function duration(s: number | null | undefined): string {
  if (s === null || s === undefined || !Number.isFinite(s)) return UNKNOWN;
  const total = Math.max(0, Math.round(s));
  if (total < 60) return `${total} s`;
  const [h, m, r] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (h === 0) return `${m} min ${String(r).padStart(2, "0")} s`;
  if (h < 48) return `${h} h ${String(m).padStart(2, "0")} min`;
  return `${Math.floor(h / 24)} d`;
}

/** m:ss, for countdowns. */
export function countdown(s: number | null | undefined): string {
  if (s === null || s === undefined || !Number.isFinite(s)) return UNKNOWN;
  const total = Math.max(0, Math.floor(s));
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, "0")}`;
}

/** Age is shown from 3 s on (console.md §3); younger values need no remark. */
export const AGE_SHOWN_S = 3;

export function age(s: number | null | undefined): string {
  if (s === null || s === undefined) return "";
  return s > AGE_SHOWN_S ? `${duration(s)} old` : "";
}

/** Local standard time of the site minus UTC, s; null until the server has told it. */
export const siteOffset = signal<number | null>(null);
export const SITE_TIME = "site time";

const UTC = { timeZone: "UTC", hourCycle: "h23" } as const;
const HM = { hour: "2-digit", minute: "2-digit" } as const;
const clock = new Intl.DateTimeFormat("en-GB", { ...UTC, ...HM, second: "2-digit" });
const short = new Intl.DateTimeFormat("en-GB", { ...UTC, ...HM });
const day = new Intl.DateTimeFormat("en-GB", { ...UTC, weekday: "short", day: "2-digit", month: "short" });
const date = new Intl.DateTimeFormat("en-GB", { ...UTC, day: "2-digit", month: "short" });

function parsed(iso: string | null | undefined): Date | null {
  if (!iso) return null;
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** Before the site's offset is known, UTC is shown and marked as such. */
function shown(iso: string | null | undefined, form: Intl.DateTimeFormat): string {
  const at = parsed(iso);
  if (at === null) return UNKNOWN;
  const offset_s = siteOffset.value;
  const words = form.format(new Date(at.getTime() + (offset_s ?? 0) * 1000)).replace(",", "");
  return offset_s === null && form !== day && form !== date ? `${words}Z` : words;
}

export function timeOf(iso: string | null | undefined): string {
  return shown(iso, clock);
}

export function minuteOf(iso: string | null | undefined): string {
  return shown(iso, short);
}

/** With the date in front, for records that reach over days. */
export function dateTimeOf(iso: string | null | undefined): string {
  const words = shown(iso, clock);
  return words === UNKNOWN ? UNKNOWN : `${shown(iso, date)} ${words}`;
}

export function dayOf(iso: string | null | undefined): string {
  return shown(iso, day);
}

/** What the site's time is, against UTC: "UTC−5", "UTC+5:30". */
export function siteZone(): string {
  const offset_s = siteOffset.value;
  if (offset_s === null) return "UTC";
  const minutes = Math.round(Math.abs(offset_s) / 60);
  const rest = minutes % 60 ? `:${String(minutes % 60).padStart(2, "0")}` : "";
  return `UTC${offset_s < 0 ? MINUS : "+"}${Math.floor(minutes / 60)}${rest}`;
}

/** A Date whose local fields show the site's time: charts choose their ticks by it. */
export function siteDate(at_s: number): Date {
  const site = new Date((at_s + (siteOffset.value ?? 0)) * 1000);
  return new Date(site.getTime() + site.getTimezoneOffset() * 60_000);
}

/** For the tool tip: the same moment in UTC. */
export function utcOf(iso: string | null | undefined): string {
  const at = parsed(iso);
  return at ? `${at.toISOString().slice(0, 19).replace("T", " ")} UTC` : "time not known";
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** The same words as the beginning of a sentence. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Start of a digest or hash: enough to compare by eye, the rest on hover. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

/** Bytes in the unit that leaves few digits: "812 B", "4.2 kB", "1.3 MB". */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return UNKNOWN;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, at] = [n, 0];
  while (value >= 1000 && at < units.length - 1) [value, at] = [value / 1000, at + 1];
  return `${number(value, at === 0 || value >= 100 ? 0 : 1)} ${units[at] ?? ""}`;
}

const CERTIFICATE_SOON_DAYS = 30;

/** When a link's certificate ends. Certificates live in real time, so `nowMs` is the machine's. */
export function certificateWords(iso: string | null, nowMs: number): { words: string; soon: boolean } {
  if (iso === null) return { words: "none", soon: false };
  const days = Math.floor((Date.parse(iso) - nowMs) / 86_400_000);
  if (!Number.isFinite(days)) return { words: UNKNOWN, soon: true };
  if (days < 0) return { words: `▲ ended ${plural(-days, "day")} ago`, soon: true };
  return { words: `${days < CERTIFICATE_SOON_DAYS ? "▲ " : ""}${plural(days, "day")} left`, soon: days < CERTIFICATE_SOON_DAYS };
}

/** A link's state by shape, so that colour is not needed. */
export function linkMark(state: string): string {
  return state === "up" ? "●" : state === "connecting" ? "◐" : "▲";
}

/** How long ago `iso` was at `now`, both in grid time. */
export function elapsed(iso: string | null, now: string | null | undefined): string {
  if (iso === null || !now) return UNKNOWN;
  return `${duration((Date.parse(now) - Date.parse(iso)) / 1000)} ago`;
}

/** The same in a tile. */
export function heldShort(held: Held, now: string): string {
  if (held.plan === null) return "no plan to hold";
  return `${held.plan} stands, ${duration((Date.parse(now) - Date.parse(held.made ?? now)) / 1000)} old`;
}

/** Planning fails: what stands meanwhile, how old it is, and since when. */
export function heldWords(held: Held, now: string): string {
  const since = `No new plan since ${minuteOf(held.since)}`;
  if (held.plan === null) return `${since}: nothing is sent, devices stay where they are.`;
  const age = duration((Date.parse(now) - Date.parse(held.made ?? now)) / 1000);
  const stands = held.is_active ? "goes on" : "still waits for approval";
  return `${since}: plan ${held.plan}, ${age} old and the last to pass its AC check, ${stands}.`;
}
