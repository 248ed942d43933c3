// The shell: the same frame around every screen.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { dayOf, duration, number, SITE_TIME, siteZone, timeOf, utcOf } from "../format";
import { PRIORITY_SHAPE } from "../judge";
import { call, whenStepUp } from "../net";
import {
  listenForStop, mayOperate, question, StopButton, StopDialogs, stopped,
} from "../parts/stop";
import { askForProof, ProofDialog } from "../parts/prove";
import { listenForAlarms } from "../state/sound";
import { href, route } from "../router";
import {
  announcement, connected, feeder, feederProblem, fresh, live, loadFeeder, now, palette, second,
  session, signOut, state, theme,
} from "../state/store";
import { Account } from "./account";
import { Alarms } from "./alarms";
import { Audit } from "./audit";
import { Settlements } from "./settlements";
import { SetUp } from "./setup";
import { Shift } from "./shift";
import { Tags } from "./tags";
import { Users } from "./users";
import { Commands } from "./commands";
import { Comms } from "./comms";
import { Forecasts } from "./forecast";
import { Health } from "./health";
import { Login, Mark } from "./login";
import { Overview } from "./overview";
import { Plans } from "./plans";
import { Review } from "./review";

listenForStop();
whenStepUp(askForProof);
listenForAlarms();

export function App() {
  if (session.value === undefined) return <p class="waiting" role="status">gridctl is starting…</p>;
  if (session.value === null && route.value[0] === "setup" && route.value[1]) return <SetUp token={route.value[1]} />;
  if (session.value === null) return <Login />;
  return <Shell />;
}

const SCREENS: { key: string; name: string; icon: string }[] = [
  { key: "overview", name: "Overview", icon: "M4 7h16M9 7v10h8M15 7v5" },
  { key: "plans", name: "Plans", icon: "M5 6h2M10 6h9M5 12h2M10 12h9M5 18h2M10 18h9" },
  { key: "forecast", name: "Forecast", icon: "M4 18l5-6 4 3 7-9M4 20h16" },
  { key: "health", name: "Health", icon: "M3 12h4l3-7 4 14 3-7h4" },
  { key: "settlements", name: "Settle", icon: "M5 4h14v16l-3-2-2 2-2-2-2 2-2-2-3 2zM9 9h6M9 13h6" },
  { key: "commands", name: "Commands", icon: "M4 19h5v-5h5v-5h5V4" },
  { key: "alarms", name: "Alarms", icon: "M12 4l9 16H3zM12 10v5M12 17.4v.6" },
  { key: "tags", name: "Tags", icon: "M4 5h8l8 8-7 7-9-9zM8 9h.1" },
  { key: "audit", name: "Audit", icon: "M9 12h6M8 8H6a4 4 0 000 8h2M16 8h2a4 4 0 010 8h-2" },
  { key: "shift", name: "Shift", icon: "M12 4a8 8 0 100 16 8 8 0 000-16M12 8v4l3 2" },
  { key: "comms", name: "Links", icon: "M4 9h16l-4-4M20 15H4l4 4" },
];

const USERS = { key: "users", name: "Users", icon: "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7M3 20c0-4 3-6 6-6s6 2 6 6M16 5a3 3 0 010 6M18 14c2 1 3 3 3 6" };
const ACCOUNT = { key: "account", name: "Your account", icon: "" };
/** The overview for many eyes and no hand: larger, without the rail and without what one clicks. */
const WALL = { key: "wall", name: "Wall display", icon: "" };

function Shell() {
  const mayView = session.value?.may.includes("view") ?? false;
  const [screen = mayView ? "overview" : "users", id] = route.value;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const wall = screen === WALL.key;
  useEffect(() => {
    // A new screen: start reading at its top. Not on the first one: the page has just loaded.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    document.title = `gridctl – ${[...SCREENS, USERS, ACCOUNT, WALL].find((s) => s.key === screen)?.name ?? "Overview"}`;
  }, [screen, id]);
  return (
    <div class={`shell ${wall ? "wall" : ""}`} data-stale={fresh.value || !mayView ? "no" : "yes"}>
      <a class="skip" href={`#${location.hash.slice(1)}`} onClick={(e) => {
        e.preventDefault();
        main.current?.focus();
      }}>Skip to content</a>
      <TopBar />
      {wall ? null : <Rail screen={screen} />}
      <div class="content">
        <Banners />
        {/* Where nothing inside takes the focus, the screen does, or keys could not scroll it. */}
        <main ref={main} tabIndex={screen === "health" ? 0 : -1} class={`screen ${wall ? "overview" : screen}`}>
          <Screen screen={screen} id={id} />
        </main>
      </div>
      <StopDialogs />
      <ProofDialog />
      <p class="sr" role="status" aria-live="polite">{announcement.value}</p>
    </div>
  );
}

function Screen(props: { screen: string; id: string | undefined }) {
  switch (props.screen) {
    case "plans": return props.id ? <Review key={props.id} id={props.id} /> : <Plans />;
    case "commands": return <Commands plan={props.id} />;
    case "alarms": return <Alarms />;
    case "tags": return <Tags />;
    case "audit": return <Audit />;
    case "shift": return <Shift />;
    case "forecast": return <Forecasts />;
    case "health": return <Health />;
    case "settlements": return <Settlements id={props.id} />;
    case "comms": return <Comms />;
    case "users": return <Users />;
    case "account": return <Account />;
    default: return <Overview />;
  }
}

function Rail(props: { screen: string }) {
  const waiting = live.value?.plans.filter((p) => p.state === "proposed" || p.state === "partial").length;
  const unacked = live.value?.alarms.unacked;
  const count: Record<string, number | undefined> = { plans: waiting, alarms: unacked };
  const may = session.value?.may ?? [];
  const shown = [...SCREENS, ...(may.includes("list_users") ? [USERS] : [])]
    .filter((s) => s === USERS || may.includes("view"));
  return (
    <nav class="rail" aria-label="Screens">
      {shown.map((s) => (
        <a key={s.key} href={href(s.key)} aria-current={props.screen === s.key ? "page" : undefined}>
          <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path d={s.icon} /></svg>
          <span>{s.name}</span>
          {count[s.key] ? <b class="count">{count[s.key]}<span class="sr"> waiting</span></b> : null}
        </a>
      ))}
    </nav>
  );
}

function TopBar() {
  const l = live.value;
  const me = session.value;
  // Who administers accounts sees nothing of the grid.
  const sees = me?.may.includes("view") ?? false;
  return (
    <header class="topbar">
      <a class="brand" href={href("overview")}><Mark /><b>gridctl</b></a>
      {sees ? <span class="site" title={feeder.value ? `model ${feeder.value.digest}` : ""}>
        {feeder.value?.name ?? "…"}
      </span> : null}
      {sees ? <span class="chip mode" title="Mode: in advisory mode each plan needs a person's approval">
        {l?.mode ?? "?"}
      </span> : null}
      <span class="grow" />
      {sees ? <><GridTime at={l?.at} /><LiveChip /><FieldChip /><AlarmChip /></> : null}
      <User name={me?.name ?? me?.user ?? ""} role={me?.role ?? ""} />
      <StopButton />
    </header>
  );
}

function GridTime(props: { at: string | undefined }) {
  return (
    <span class="gridtime dims" title={`${SITE_TIME} (${siteZone()}) at the feeder; ${utcOf(props.at)}`}>
      <span class="day">{dayOf(props.at)}</span> <span class="num">{timeOf(props.at)}</span>
      {" "}<small>{SITE_TIME}</small>
    </span>
  );
}

function LiveChip() {
  const l = live.value;
  if (state.value === "waiting" || l === null) return <span class="chip link off"><i aria-hidden="true" />waiting</span>;
  if (state.value === "live") {
    return <span class="chip link ok" title={`frame ${l.seq}`}><i aria-hidden="true" />live</span>;
  }
  const since = (now.value - l.rx) / 1000;
  return <span class="chip link bad"><i aria-hidden="true" />STALE {duration(since)}</span>;
}

/** While the data is stale nobody knows how the field link is. */
function FieldChip() {
  const l = live.value;
  if (l === null || !fresh.value) return <span class="chip link off"><i aria-hidden="true" />field ?</span>;
  return (
    <span class={`chip link ${l.field_connected ? "ok" : "bad"}`}>
      <i aria-hidden="true" />{l.field_connected ? "field up" : "FIELD DOWN"}
    </span>
  );
}

function AlarmChip() {
  const a = live.value?.alarms;
  // What has returned to normal wants to be seen, but it is no reason for colour any more.
  const worst = a?.top.reduce((p, x) => (x.state === "cleared_unacked" ? p : Math.min(p, x.priority)), 4) ?? 4;
  const calls = a?.top.some((x) => x.state === "unacked") ?? false;
  const name = worst === 4 ? "" : `p${worst}`;
  return (
    <a class={`chip alarms dims ${calls ? `${name} unacked` : ""}`} href={href("alarms")}
      title="Active alarms, and how many alarms (active or returned to normal) nobody has acknowledged">
      <span aria-hidden="true">{worst === 4 ? "△" : PRIORITY_SHAPE[worst as 1 | 2 | 3]}</span>
      {a ? ` ${number(a.active)} active` : " ?"}{a && a.unacked > 0 ? `, ${number(a.unacked)} to acknowledge` : ""}
    </a>
  );
}

function User(props: { name: string; role: string }) {
  const leave = async (): Promise<void> => {
    await call("DELETE", "session");
    signOut();
  };
  return (
    <details class="user" onFocusOut={(e) => {
      if (!e.currentTarget.contains(e.relatedTarget as Node | null)) e.currentTarget.open = false;
    }} onKeyDown={(e) => {
      if (e.key === "Escape") e.currentTarget.open = false;
    }}>
      <summary><b>{props.name}</b> <span class="role">{props.role}</span></summary>
      <div class="menu">
        <p>Palette</p>
        <div class="segmented" role="group" aria-label="Palette">
          {(["auto", "dark", "light"] as const).map((t) => (
            <button key={t} type="button" aria-pressed={theme.value === t}
              onClick={() => { theme.value = t; }}>{t}</button>
          ))}
        </div>
        <p class="note">Now {palette.value}. Keys: F9 stops all dispatch; on the one-line the arrow
          keys walk the feeder, + − 0 zoom.</p>
        <p>{route.value[0] === WALL.key
          ? <a href={href("overview")}>Leave the wall display</a>
          : <a href={href(WALL.key)}>Wall display</a>}</p>
        <p><a href={href("account")}>Code generator, security keys</a></p>
        <button type="button" onClick={() => void leave()}>Sign out</button>
      </div>
    </details>
  );
}

function Banner(props: { class: string; children: ComponentChildren }) {
  return <div class={`banner ${props.class}`} role="alert">{props.children}</div>;
}

function Banners() {
  const l = live.value;
  const stale = state.value === "stale";
  return (
    <>
      {stale && l ? <StaleBanner rx={l.rx} /> : null}
      {l?.stopped || stopped.value ? (
        <Banner class="alarm">
          <b>■ DISPATCH STOPPED</b>
          <span>
            No command leaves.
            {stopped.value ? ` Stopped in ${number(stopped.value.latency_s, 2)} s.` : ""}
            {" "}Devices keep their setpoints until their leases run out.
          </span>
          {mayOperate() ? (
            <span class="actions">
              <button type="button" onClick={() => { question.value = "resume"; }}>Resume…</button>
              <button type="button" onClick={() => { question.value = "return"; }}>
                Return area to default…
              </button>
            </span>
          ) : null}
        </Banner>
      ) : null}
      {l && !l.field_connected && !stale ? (
        <Banner class="warn"><b>FIELD LINK DOWN</b>
          <span>No measurements and no commands. Devices return to default as their leases end.</span>
        </Banner>
      ) : null}
      {feederProblem.value ? (
        <Banner class="warn"><b>NO MODEL</b><span>{feederProblem.value}</span>
          <button type="button" onClick={() => void loadFeeder()}>Try again</button></Banner>
      ) : null}
    </>
  );
}

function StaleBanner(props: { rx: number }) {
  const age_s = Math.floor((second.value - props.rx) / 1000);
  return (
    <div class="banner alarm">
      <b role="alert">■ DATA STALE</b>
      <span>
        Last data {duration(age_s)} ago{connected.value ? "" : "; the connection is lost, trying again"}.
        Values are dimmed and approval is blocked. STOP still works.
      </span>
    </div>
  );
}
