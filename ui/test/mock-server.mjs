// A server for working on the console without the service: node test/mock-server.mjs [port].
// Any password signs in "operator1" (OPERATOR), "supervisor1" (SUPERVISOR) or "viewer1" (VIEWER).
// For tests: POST /mock/{silence,speak,cut-field,mend-field,expire}.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFeeder } from "./mock-feeder.mjs";
import { World } from "./mock-world.mjs";

export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  + "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; "
  + "frame-ancestors 'none'; require-trusted-types-for 'script'";
const STATIC = join(fileURLToPath(new URL(".", import.meta.url)), "../../gridctl/web/static");
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml", json: "application/json" };
const OPERATE = ["view", "approve", "stop", "ack", "audit", "propose", "mode", "duty", "tag"];
const USERS = {
  operator1: { role: "OPERATOR", may: OPERATE },
  operator2: { role: "OPERATOR", may: OPERATE },
  supervisor1: { role: "SUPERVISOR", may: [...OPERATE, "second_approval"] },
  viewer1: { role: "VIEWER", may: ["view"] },
};

const world = new World(readFeeder(), { rate: Number(process.env.MOCK_RATE ?? 10) });
const sessions = new Map();
const sockets = new Set();

function send(response, status, body, type = "application/json", headers = {}) {
  response.writeHead(status, {
    "Content-Type": type, "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", ...headers,
  });
  response.end(body === null ? undefined : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function refuse(response, status, code, title, reasons = []) {
  send(response, status, { type: "about:blank", title, status, code, detail: "", reasons }, "application/problem+json");
}

function userOf(request) {
  const found = /gridctl=(\w+)/.exec(request.headers.cookie ?? "");
  return found ? sessions.get(found[1]) : undefined;
}

async function bodyOf(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text ? JSON.parse(text) : {};
}

async function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const path = url.pathname;
  if (path.startsWith("/mock/")) {
    const what = path.slice(6);
    if (what === "silence") world.quiet = true;
    if (what === "speak") world.quiet = false;
    if (what === "cut-field") world.field = false;
    if (what === "mend-field") world.field = true;
    if (what === "expire") world.replaceWaiting();
    return send(response, 200, { what });
  }
  if (!path.startsWith("/api/v1/")) {
    const name = path === "/" ? "index.html" : path.replace(/^\/static\//, "");
    const file = join(STATIC, name);
    if (name.includes("..") || !existsSync(file)) return send(response, 404, "not found", "text/plain");
    return send(response, 200, readFileSync(file), TYPES[name.split(".").pop()] ?? "text/plain");
  }
  const [noun, id, verb] = path.slice(8).split("/");
  const key = `${request.method} ${noun}`;
  if (key === "POST session") {
    const { user, password } = await bodyOf(request);
    if (!USERS[user] || !password) return refuse(response, 401, "bad_login", "User or password is not right");
    const token = createHash("sha256").update(`${user}${Date.now()}`).digest("hex");
    const session = { user, name: user, csrf: token.slice(0, 16), ...USERS[user] };
    sessions.set(token, session);
    return send(response, 200, session, undefined, { "Set-Cookie": `gridctl=${token}; HttpOnly; SameSite=Strict; Path=/` });
  }
  const user = userOf(request);
  if (!user) return refuse(response, 401, "no_session", "Not signed in");
  if (request.method !== "GET" && request.headers["x-csrf-token"] !== user.csrf) {
    return refuse(response, 403, "csrf", "The request did not come from this console");
  }
  const body = request.method === "GET" ? {} : await bodyOf(request);
  return serve(response, user, { key, id, verb, url, body });
}

function serve(response, user, { key, id, verb, url, body }) {
  switch (key) {
    case "GET session": return send(response, 200, user);
    case "DELETE session": return send(response, 204, null);
    case "GET feeder": return send(response, 200, world.feeder);
    case "GET plans": {
      if (!id) return send(response, 200, { plans: world.plans.map((p) => world.row(p)).reverse() });
      const plan = world.plans.find((p) => p.id === id);
      return plan ? send(response, 200, world.detail(plan)) : refuse(response, 404, "no_plan", "There is no such plan");
    }
    case "POST plans": return id ? decide(response, user, id, verb, body) : send(response, 201, { id: world.propose().id });
    case "GET commands": {
      if (id) {
        const found = world.plans.flatMap((p) => p.commands).find((c) => c.id === id);
        if (!found) return refuse(response, 404, "no_such_command", "No such command");
        const { starts, ...rest } = found;
        return send(response, 200, { ...rest, evidence: world.evidence(found) });
      }
      const plan = world.plans.find((p) => p.id === url.searchParams.get("plan"));
      return send(response, 200, { commands: (plan ? plan.commands : world.plans.flatMap((p) => p.commands)).map(({ starts, ...c }) => c) });
    }
    case "GET overview": return send(response, 200, world.frame(true));
    case "GET links": return send(response, 200, { links: world.linkDetails() });
    case "GET events": return send(response, 200, { events: [] });
    case "GET alarms":
      if (id === "figures") return send(response, 200, { start: "", end: "", hours: 24, start_s: 0, end_s: 86400, raised: 3, per_day: 3, per_10_min: 0.02, most_in_10_min: 2, floods: 0, flood_s: 0, chattering: [], stale: [], top: [["head", 2]], priorities: [[2, 3]], acknowledged_after_s: 31, judged: [] });
      return send(response, 200, { alarms: world.alarms.map((a) => ({ ...a, system: false, shelved: null })), flood: null });
    case "POST alarms": {
      const alarm = world.alarms.find((a) => a.key === body.key);
      if (!alarm) return refuse(response, 404, "no_alarm", "There is no such alarm");
      Object.assign(alarm, { acked_by: user.user, state: alarm.cleared ? "normal" : "acked" });
      world.note(user.user, user.role, "ack", alarm.key, "", "");
      return send(response, 200, {});
    }
    case "POST tags": return tag(response, user, id, body);
    case "GET audit":
      if (id === "verify") return send(response, 200, { rows: world.audit.length, ok: true, first_bad: null, detail: "every link holds" });
      return send(response, 200, { rows: [...world.audit].reverse().filter((r) => !url.searchParams.get("before") || r.sequence < Number(url.searchParams.get("before"))).slice(0, Number(url.searchParams.get("limit") ?? 100)) });
    case "POST stop":
      world.stopped = true;
      for (const p of world.plans) if (["proposed", "partial", "approved", "active"].includes(p.state)) p.state = "stopped";
      world.note(user.user, user.role, "stop", "area", body.reason, "");
      return send(response, 200, { stopped: true, latency_s: 0.21 });
    case "POST resume":
      world.stopped = false;
      world.propose();
      world.note(user.user, user.role, "resume", "area", body.reason, "");
      return send(response, 200, {});
    case "GET modes": return send(response, 200, { areas: areasOf(new Date().toISOString()) });
    case "GET handovers": return send(response, 200, { handovers: [{ number: 1, prepared_by: "operator-b", at: new Date().toISOString(), open_items: ["plan P-1 is partial, 1 approvals"], notes: "mind the heat", taken_by: "", taken_at: null, remarks: "" }] });
    case "GET manual-steps": return send(response, 200, { steps: [{ number: 2, issued_by: "operator-b", to: "field crew", instruction: "open switch 7", issued_at: new Date().toISOString(), repeat_back: "", repeated_at: null, confirmation: "", confirmed_at: null, closed: "" }] });
    case "POST return-to-default": return send(response, 200, {});
    default: return refuse(response, 404, "no_route", "There is no such page");
  }
}

function decide(response, user, id, verb, body) {
  const plan = world.plans.find((p) => p.id === id);
  if (!plan) return refuse(response, 404, "no_plan", "There is no such plan");
  if (body.digest !== plan.digest) return refuse(response, 409, "plan_changed", "The plan has changed", ["the plan on your screen is not the plan that waits: read it again"]);
  if (!["proposed", "partial"].includes(plan.state)) return refuse(response, 409, "not_open", "The plan does not wait any more", [`it is ${plan.state}`]);
  if (verb === "reject") {
    plan.state = "rejected";
    plan.reason = body.reason;
    world.note(user.user, user.role, "reject", id, body.reason, plan.digest);
    world.propose();
    return send(response, 200, world.detail(plan));
  }
  if (plan.approved_by.some((a) => a.by === user.user)) return refuse(response, 409, "same_person", "A second person is needed", [`${user.user} has approved already`]);
  world.approve(plan, user);
  return send(response, 200, world.detail(plan));
}

function tag(response, user, id, body) {
  if (!id) {
    const made = { id: `T-${world.tags.length + 1}`, kind: body.kind, blocks: body.kind !== "caution", device: body.device, by: user.user, at: new Date().toISOString(), reason: body.reason, work_order: body.work_order, until: null, in_field: body.kind === "caution" ? null : true, removal: null };
    world.tags.push(made);
    return send(response, 201, made);
  }
  const found = world.tags.find((t) => t.id === id);
  if (!found) return refuse(response, 409, "no_such_tag", "Refused", [`there is no tag ${id}`]);
  if (found.by !== user.user && !found.removal) {
    found.removal = { by: user.user, at: new Date().toISOString(), reason: body.reason };
    return send(response, 200, { tag: found });
  }
  world.tags.splice(world.tags.indexOf(found), 1);
  return send(response, 200, { tag: null });
}

function wire(text) {
  const data = Buffer.from(text);
  const head = data.length < 126 ? Buffer.from([0x81, data.length])
    : data.length < 65536 ? Buffer.from([0x81, 126, data.length >> 8, data.length & 255])
      : Buffer.concat([Buffer.from([0x81, 127, 0, 0, 0, 0]), Buffer.from([data.length >>> 24, (data.length >> 16) & 255, (data.length >> 8) & 255, data.length & 255])]);
  return Buffer.concat([head, data]);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => send(response, 500, String(error), "text/plain"));
});
server.on("upgrade", (request, socket) => {
  if (request.url !== "/api/v1/stream" || !userOf(request)) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket)).on("error", () => sockets.delete(socket)).resume();
  if (!world.quiet) socket.write(wire(JSON.stringify(world.frame(true))));
});
setInterval(() => {
  world.step();
  if (world.quiet) return;
  const text = wire(JSON.stringify(world.frame(false)));
  for (const socket of sockets) socket.write(text);
}, 1000);
const port = Number(process.argv[2] ?? 8480);
server.listen(port, "127.0.0.1", () => process.stdout.write(`mock server: http://127.0.0.1:${server.address().port}/\n`));

/** One area in closed loop, one that somebody asks for, one that may be asked for. */
function areasOf(now) {
  const envelope = {
    max_kw: 200, ramp_kw: 120, devices: ["LG01", "LG02", "BESS01"], from_hour: 14, to_hour: 21,
    causes: ["head limit", "request"], life_h: 8, digest: "5d".repeat(32),
  };
  const area = {
    mode: "advisory", since: null, by: "", reason: "never set", request: null, promotion: null, scored: 0,
    forecast_error_pct: null, relieved_kwh: 0, over_kwh: 0, lacking: [],
    evidence: { scored: 412, advisory: 31, days: 16.4, forecast_error_pct: 4.2, plan_error_pct: 1.9, lacking: [] },
    bound: { max_kw: 300, ramp_kw: 200, devices: ["LG01", "LG02", "BESS01"] },
  };
  return [
    { ...area, area: "NORTH", mode: "closed loop", by: "engineer, operator-a, supervisor", reason: "a hot week",
      promotion: { envelope, asked_by: "engineer", approved_by: ["operator-a", "supervisor"], at: now, expires: now, digest: "7a".repeat(32) } },
    { ...area, area: "EAST", request: { to: "closed loop", by: "engineer", at: now, reason: "a hot week", approved_by: "", envelope } },
    { ...area, area: "SOUTH", evidence: { ...area.evidence, scored: 9, advisory: 0, days: 2.5, lacking: ["9 plans are scored, 20 are needed (SG-37)"] } },
  ];
}
