// What the mock server tells: a hot afternoon on the feeder, plans, commands, alarms. Invented
// numbers of a believable size, moving with time; the real ones come from gridctl/web.
const iso = (s) => new Date(s * 1000).toISOString().replace(".000Z", "Z");
const COMMAND_STEPS = [
  ["ordered", "", "order 41 signed"], ["admitted", "", "limits checked by the field guard"],
  ["selected", "SUCCESS", ""], ["operated", "", ""], ["accepted", "SUCCESS", ""], ["confirmed", "", "feedback within 0.5 kW"],
  ["effective", "", "seen at the feeder head"],
];

export class World {
  constructor({ feeder, depth }, { rate = 10, start = Date.UTC(2026, 6, 14, 20, 35) / 1000 } = {}) {
    Object.assign(this, { feeder, depth, rate, start, born: Date.now() / 1000, seq: 0 });
    this.stopped = false;
    this.tags = [];
    this.field = true;
    this.quiet = false;
    this.frozen = null;
    this.plans = [];
    this.audit = [];
    this.alarms = [
      this.alarm("head-forecast", 2, "Forecast passes the feeder head limit at 17:15", "Review the plan that waits", "unacked", 240),
      this.alarm("v-node-66", 1, "Voltage at node 66 phase B above 1.05 pu", "Check regulator reg4, then capacitor c83", "unacked", 90),
      this.alarm("bess07-comms", 3, "BESS-07 does not answer", "Send field crew when it lasts over 1 h", "acked", 2600),
      this.alarm("pv12-late", 3, "PV-12 scans late", "None needed when it clears by itself", "cleared_unacked", 900),
    ];
    this.note("system", "SYSTEM", "start", "office", "", "");
    this.propose();
  }

  now() { return this.start + (Date.now() / 1000 - this.born) * this.rate; }

  alarm(key, priority, text, response, state, ago) {
    return {
      key, priority, text, response, raised: iso(this.now() - ago), state,
      cleared: state === "cleared_unacked" ? iso(this.now() - 60) : null,
      acked_by: state === "acked" ? "operator1" : null, source: "",
    };
  }

  note(who, role, action, object, reason, digest) {
    const sequence = this.audit.length + 1;
    this.audit.push({
      sequence, at: iso(this.now()), who, role, source: "127.0.0.1", action, object, before: "", after: "",
      reason, result: "ok", plan_digest: digest, hash: `${(sequence * 2654435761 % 2 ** 32).toString(16).padStart(8, "0")}c0ffee11`,
    });
  }

  base(s) {
    const h = ((s / 3600 - 5) % 24 + 24) % 24;
    return 2050 + 1380 * Math.exp(-(((h - 17.4) / 3.3) ** 2)) + 22 * Math.sin(s / 97) + 14 * Math.sin(s / 31);
  }

  relief() {
    let kw = 0;
    for (const p of this.plans) {
      if (p.state !== "active") continue;
      for (const c of p.commands) if (["confirmed", "effective"].includes(c.state)) kw += c.effect_kw;
    }
    return kw;
  }

  propose() {
    const f = this.feeder;
    const count = this.plans.length + 142;
    const big = this.plans.length % 2 === 0;
    const now = this.now();
    const start = Math.ceil(now / 900) * 900;
    const span = Array.from({ length: 24 }, (_, k) => start + k * 900);
    const before = span.map((s) => Math.round(this.base(s) + 60));
    const rows = [];
    const move = (kind, n, skip, to) => f.resources.filter((r) => r.kind === kind && !skip.includes(r.id)).slice(0, n)
      .forEach((r) => {
        const [to_kw, effect_kw] = to(r);
        rows.push({
          resource: r.id, name: r.name, kind, node: r.node, area: r.area,
          now_kw: kind === "pv" ? r.rating_kw : 0, to_kw, effect_kw,
          series_kw: before.map((b) => (b > 3180 ? to_kw * (0.6 + 0.4 * Math.min(1, (b - 3180) / 220)) : 0)),
          how: kind === "load_group" ? "DNP3 SBO, ramp 10 %/min, lease 15 min" : "OPC UA method, read back, lease 15 min",
        });
      });
    move("battery", big ? 9 : 3, ["BESS07"], (r) => [r.rating_kw * 0.7, r.rating_kw * 0.7]);
    move("load_group", big ? 11 : 2, ["LG05"], (r) => [r.rating_kw * 0.5, r.rating_kw * 0.5]);
    if (big) move("pv", 2, [], (r) => [r.rating_kw * 0.6, -r.rating_kw * 0.2]);
    const net = rows.reduce((a, r) => a + r.effect_kw, 0);
    const after = before.map((b) => Math.round(b > 3180 ? b - net * Math.min(1, 0.75 + (b - 3180) / 900) : b));
    const of = (k) => rows.filter((r) => r.kind === k).length;
    const voltages = f.nodes.flatMap((n) => [...n.phases].map((phase) => {
      const v = this.voltage(n, phase, 0);
      const lift = net * 0.000022 * Math.min(1, (this.depth.get(n.id) ?? 0) / 20);
      const low = v - 0.017 * Math.min(1, (this.depth.get(n.id) ?? 0) / 22);
      return { node: n.id, phase, before_pu: low, after_pu: low + lift };
    }));
    const low = voltages.reduce((a, v) => (v.before_pu < a.before_pu ? v : a));
    const low2 = voltages.reduce((a, v) => (v.after_pu < a.after_pu ? v : a));
    const high = voltages.reduce((a, v) => (v.before_pu > a.before_pu ? v : a));
    const at = (v) => `${v.node}.${v.phase}`;
    const id = `P-0${count}`;
    const plan = {
      id, version: 1, state: "proposed", digest: `sha256:${(count * 7919).toString(16)}b2e47c1f90ad3356`, net_kw: Math.round(net),
      customers: rows.reduce((a, r) => a + (f.resources.find((x) => x.id === r.resource)?.customers ?? 0), 0),
      cost: net * 0.31, controls: { load_group: of("load_group"), battery: of("battery"), pv: of("pv") },
      approvals: 0, approvals_needed: big ? 2 : 1, deadline: Date.now() / 1000 + 297, blocked: [], requests: big ? ["RQ-7"] : [],
      created: iso(now), reason: "", proposed_by: "optimizer", on_failure: "hold", snapshot_revision: 8123 + count, approved_by: [], left_to_people: [],
      horizon: { start: iso(start), step_s: 900, count: 24 }, head_before_kw: before, head_after_kw: after, limit_kw: 3200, rows,
      excluded: [
        { resource: "BESS07", name: "BESS-07", reason: "does not answer since 19:52 UTC" },
        { resource: "LG05", name: "LG-05", reason: "opted out until 22:00 UTC" },
      ],
      bindings: [
        { limit: "feeder head import", where: "150", at: iso(start + 6 * 900), price: 0.31, unit: "per kW" },
        { limit: "lowest voltage", where: at(low2), at: iso(start + 7 * 900), price: 0.08, unit: "per 0.01 pu" },
      ],
      findings: [
        { kind: "binding", text: "The feeder head import (150) holds the plan back.", from: null, to: null, amount: 0.31, unit: "per kW", cost: null, resources: [] },
      ],
      why: [{ resource: "LG01", name: "Lakeside A", from: iso(start), to: iso(start + 4 * 900), text: "moves to keep the import within the limit" }],
      shortfalls: big ? [] : [{ limit: "feeder head import", where: "150", at: iso(start + 7 * 900), amount: 96, unit: "kW" }],
      check: {
        engine: "Z-bus power flow", ok: true, reasons: [], linear_error_pu: 0.0007,
        before: { converged: true, worst_voltage_pu: low.before_pu, worst_voltage_at: at(low), highest_voltage_pu: high.before_pu, highest_voltage_at: at(high), worst_loading_pct: 107.6, worst_loading_at: "l115", violations: voltages.filter((v) => v.before_pu < 0.95).length + 1, losses_kw: 96.4 },
        after: { converged: true, worst_voltage_pu: low2.after_pu, worst_voltage_at: at(low2), highest_voltage_pu: high.after_pu, highest_voltage_at: at(high), worst_loading_pct: 94.2, worst_loading_at: "l115", violations: voltages.filter((v) => v.after_pu < 0.95).length, losses_kw: 78.9 },
      },
      voltages, solver: "HiGHS 1.12 (LP)", solve_s: 0.41, rounds: 2, status: "optimal", commands: [],
    };
    this.plans.push(plan);
    this.note("optimizer", "SYSTEM", "propose", id, "", plan.digest);
    return plan;
  }

  /** What waits has expired; another plan waits in its place. */
  replaceWaiting() {
    for (const p of this.plans) {
      if (["proposed", "partial"].includes(p.state)) Object.assign(p, { state: "expired", reason: "not approved within 300 s (SG-08)" });
    }
    return this.propose();
  }

  row(p) {
    const { deadline, commands, rows, excluded, bindings, findings, why, shortfalls, check, voltages, head_before_kw, head_after_kw,
      limit_kw, horizon, approved_by, proposed_by, on_failure, snapshot_revision, solver, solve_s, rounds, status, activated, ...row } = p;
    const open = ["proposed", "partial"].includes(p.state);
    return { ...row, expires_in_s: open ? Math.max(0, deadline - Date.now() / 1000) : null };
  }

  detail(p) {
    const { deadline, commands, activated, ...rest } = p;
    const cautions = this.tags.filter((t) => !t.blocks && p.rows.some((r) => r.resource === t.device))
      .map((t) => ({ tag: t.id, name: t.device, text: `${t.kind} by ${t.by}: ${t.reason}` }));
    return { ...rest, ...this.row(p), cautions };
  }

  approve(p, user) {
    p.approved_by.push({ by: user.user, at: iso(this.now()) });
    p.approvals = p.approved_by.length;
    p.state = p.approvals >= p.approvals_needed ? "active" : "partial";
    this.note(user.user, user.role, "approve", p.id, "", p.digest);
    if (p.state !== "active") return;
    p.activated = Date.now() / 1000;
    p.commands = p.rows.map((r, i) => ({
      id: `${p.id}-C${String(i + 1).padStart(2, "0")}`, plan: p.id, resource: r.resource, name: r.name,
      point: `${r.name}.WSpt`, value: r.to_kw, unit: "kW", effect_kw: r.effect_kw, state: "approved", status: "", detail: "",
      protocol: r.kind === "load_group" ? "dnp3" : "opcua", measured_kw: null, starts: p.activated + (i < 1 ? 0.5 : 3 + i * 0.6),
      history: [{ state: "proposed", at: p.created, status: "", detail: "" }, { state: "approved", at: iso(this.now()), status: "", detail: "by 2 persons" }],
    }));
  }

  step() {
    const t = Date.now() / 1000;
    for (const p of this.plans) {
      if (["proposed", "partial"].includes(p.state) && t > p.deadline) { p.state = "expired"; this.propose(); }
      if (p.state !== "active") continue;
      p.commands.forEach((c, i) => {
        if (["failed", "refused", "unconfirmed"].includes(c.state)) return;
        const done = c.history.length - 2;
        const next = COMMAND_STEPS[done];
        const dnp3 = c.protocol === "dnp3";
        if (!next || t < c.starts + done * (done > 4 ? 3 : 0.6)) return;
        const skip = !dnp3 && next[0] === "selected";
        let [state, status, detail] = next;
        if (i === 5 && state === "accepted") [state, status, detail] = ["failed", "LOCAL", "device is in local mode"];
        if (i === 8 && state === "confirmed") [state, status, detail] = ["unconfirmed", "", "feedback stayed at 0.0 kW for 30 s"];
        c.history.push({ state: skip ? "admitted" : state, at: iso(this.now()), status: dnp3 ? status : status && "Good", detail });
        if (!skip) Object.assign(c, { state, status: dnp3 ? status : status && "Good", detail });
        if (state === "confirmed") c.measured_kw = c.value * 0.99;
      });
    }
  }

  evidence(command) {
    const sent = command.history.find((h) => h.state === "operated");
    if (!sent) return [];
    const wire = command.protocol === "dnp3"
      ? [`${sent.at} → device SELECT seq 4 | g12v1 7=latch on ×1 on 0 ms off 0 ms (status 0) | c403 0c01 2801 0007 0003 01`,
         `${sent.at} ← device RESPONSE seq 4 | g12v1 7=latch on ×1 on 0 ms off 0 ms (status 0) | c481 0000 0c01 2801 0007`]
      : [`${sent.at} → device Write ns=2;s=${command.point} = Double ${command.value} | 0100 0000 0305`,
         `${sent.at} ← device Write: Good | 0100 a302`];
    return [{ state: "accepted", at: sent.at, sha256: "5f".repeat(32), lines: wire }];
  }

  voltage(node, phase, sag) {
    const d = this.depth.get(node.id) ?? 0;
    const beyond = d > 14 && node.id !== "610" ? 0.021 : 0;
    const lateral = node.phases.length === 1 ? 0.004 : 0;
    return 1.038 - d * 0.0031 + beyond - lateral - ({ A: 0.006, B: -0.003, C: 0.001 })[phase] - sag + 0.0009 * Math.sin(this.now() / 40 + d);
  }

  frame(full) {
    const t = this.frozen ?? this.now();
    this.seq += 1;
    const relief = this.relief();
    const head = this.base(t) - relief;
    const nodes = {};
    for (const n of this.feeder.nodes) {
      if (/r$|s$|^(149|152|135|160|197|610)$/.test(n.id)) continue;
      const sick = n.id === "33" || n.id === "151";
      const odd = n.id === "66" ? 0.012 + (1.0345 - 1.0) : 0;
      nodes[n.id] = {
        v: [...n.phases].map((ph) => (n.id === "151" ? null : this.voltage(n, ph, -relief * 0.00001) + (n.id === "66" && ph === "B" ? odd : 0))),
        q: sick ? "invalid" : n.id === "96" ? "questionable" : "good", age_s: sick ? 64 : 0.4,
      };
    }
    const active = this.plans.find((p) => p.state === "active");
    const resources = {};
    for (const r of this.feeder.resources) {
      const cmd = active?.commands.find((c) => c.resource === r.id);
      const there = cmd && ["confirmed", "effective"].includes(cmd.state);
      const sun = 0.72;
      resources[r.id] = {
        kind: r.kind, power_kw: r.kind === "pv" ? r.rating_kw * sun : there ? cmd.value * 0.99 : r.kind === "load_group" ? r.rating_kw * 1.9 : 0,
        confirmed_kw: r.id === "BESS07" ? null : there ? cmd.value : r.kind === "pv" ? r.rating_kw : 0,
        intended_kw: cmd ? cmd.value : null, available_kw: r.rating_kw, soc_pct: r.kind === "battery" ? 50 + ((r.rating_kw * 7) % 45) : null,
        lease_left_s: there ? 880 : null, excluded: r.id === "BESS07" ? "does not answer" : r.id === "LG05" ? "opted out until 22:00 UTC" : null,
        quality: r.id === "BESS07" ? "invalid" : "good", age_s: r.id === "BESS07" ? 2580 : 0.6,
      };
    }
    const start = Math.ceil(t / 900) * 900;
    const p50 = Array.from({ length: 24 }, (_, k) => this.base(start + k * 900 + 450));
    const link = (id, protocol, endpoint, points, state, detail) => ({
      id, protocol, endpoint, state, points, reads: 4210 + this.seq * points, late_scans: id === "DER" ? 3 : 0, commands: active ? 9 : 0,
      reconnects: id === "DER" ? 1 : 0, round_trip_ms: state === "up" ? 3.1 : null, detail,
    });
    const trend = [];
    for (let s = t - 7200; s < t; s += 60) trend.push([iso(s), s > t - 4100 && s < t - 3700 ? null : this.base(s)]);
    const rank = { unacked: 0, cleared_unacked: 1, acked: 2, normal: 3 };
    const alarms = this.alarms.filter((a) => a.state !== "normal").sort((a, b) => rank[a.state] - rank[b.state] || a.priority - b.priority);
    const expected = active ? active.rows.reduce((a, r) => a + r.effect_kw, 0) : 0;
    const ended = active && active.commands.every((c) => ["effective", "failed", "unconfirmed"].includes(c.state));
    return {
      seq: this.seq, at: iso(t), full, mode: "advisory", stopped: this.stopped, field_connected: this.field,
      head: { kw: head, limit_kw: 3200, quality: "good", age_s: 0.5 }, nodes, resources,
      links: [
        link("SUB", "dnp3", "127.0.0.1:20001", 412, "up", "class 0/1/2/3, unsolicited on"),
        link("DR", "dnp3", "127.0.0.1:20002", 154, "up", "class 0/1/2/3, unsolicited on"),
        link("DER", "opcua", "opc.tcp://127.0.0.1:4841/gridctl", 294, this.field ? "up" : "connecting", "Basic256Sha256 SignAndEncrypt, 3 subscriptions"),
      ],
      alarms: { active: alarms.filter((a) => a.state !== "cleared_unacked").length, returned: alarms.filter((a) => a.state === "cleared_unacked").length, unacked: alarms.filter((a) => a.state === "unacked" || a.state === "cleared_unacked").length, top: alarms.slice(0, 8) },
      plans: this.plans.filter((p) => ["proposed", "partial", "approved", "active"].includes(p.state)).map((p) => this.row(p)),
      forecast: { start: iso(start), step_s: 900, p50, p10: p50.map((v, k) => v - 30 - 7 * k), p90: p50.map((v, k) => v + 35 + 9 * k), method: "similar day, quantile corrected", nmae_pct: 3.4 },
      trend: full ? { t: trend.map((x) => x[0]), head_kw: trend.map((x) => x[1]) } : null,
      cycle: { at: iso(t - 12), status: "optimal", reason: "plan proposed" },
      effect: active ? { plan: active.id, expected_kw: expected, band_kw: [expected * 0.7, expected * 1.2], measured_kw: relief + 6 * Math.sin(t / 20), settled: Boolean(ended), kept: ended ? relief >= expected * 0.7 : null } : null,
      requests: [{ id: "RQ-7", event_id: "ev-3391", name: "Peak relief, 400 kW", source: "city-campus", start: iso(Date.UTC(2026, 6, 14, 21) / 1000), end: iso(Date.UTC(2026, 6, 14, 23) / 1000), target_kw: 400, state: active ? "active" : "planned" }],
      tags: this.tags,
      blocked: this.field ? [] : ["The field link is down."],
    };
  }

  /** GET links: the live rows with the details that the communications screen shows. */
  linkDetails() {
    const { at, links } = this.frame(false);
    return links.map((l) => ({
      ...l, configured_endpoint: l.endpoint, since: at, events: 31, in_flight: 0, lock_owner: "", retries: 0, timeouts: 0, poor: 0,
      bytes_in: 184_320, bytes_out: 20_480, frames_in: 900, frames_out: 310, frame_errors: 0, protocol_errors: 0,
      round_trip_p50_ms: l.round_trip_ms, round_trip_p99_ms: l.round_trip_ms && 3 * l.round_trip_ms, last_error: l.detail, last_error_at: null,
      certificate_expires: l.protocol === "opcua" ? iso(Date.now() / 1000 + 200 * 86_400) : null, diagnostics: {},
      rejected_certificate: l.state === "up" || l.protocol !== "opcua" ? null : {
        thumbprint: "6B".repeat(20), sha256: "A4".repeat(32), subject: "CN=DER gateway", application_uri: "urn:example:der",
        valid_from: iso(Date.now() / 1000 - 3600), valid_until: iso(Date.now() / 1000 + 365 * 86_400), why: "BadCertificateUntrusted",
        remedy: `gridctl opcua trust accept ${"6B".repeat(20)} --link ${l.id}`,
      },
    }));
  }
}
