// The contract between the console and the server (gridctl/web). Both sides are held to this file:
// tests/gridctl/web/test_contract.py checks real answers against it.
//
// Times are ISO 8601 UTC strings ("…Z", grid time). kW unless the name says otherwise.
// `null` means "not known"; the console draws it as "?" and never as zero.

export type Validity = "good" | "questionable" | "invalid";
export type PlanState =
  | "proposed" | "partial" | "approved" | "active" | "completed"
  | "rejected" | "expired" | "void" | "stopped" | "shadow";
export type CommandState =
  | "proposed" | "approved" | "ordered" | "admitted" | "selected" | "operated" | "accepted"
  | "confirmed" | "effective" | "refused" | "expired" | "failed" | "unconfirmed" | "released";

// GET /api/v1/session -> Session | 401.  POST /api/v1/session {user, password} -> Session.
// DELETE /api/v1/session -> 204.  `csrf` goes into the header X-CSRF-Token of every POST/DELETE.
export interface Session {
  user: string;
  name: string;
  role: "VIEWER" | "OPERATOR" | "SUPERVISOR" | "ENGINEER" | "INSTALLER" | "SECADM" | "SECAUD"
    | "RBACMNT";
  areas: string; // "*" or names joined by commas: what the person answers for
  factor: "password" | "code" | "key" | "provider"; // what proved the person last
  lacks_factor: boolean; // must enrol a second factor before acting
  csrf: string;
  may: string[]; // permissions: "view" "approve" "second_approval" "stop" "ack" "audit" ...
}

// Every 4xx/5xx: application/problem+json
export interface Problem {
  type: string; title: string; status: number; code: string; detail: string; reasons: string[];
}
// With code "second_factor".
export interface Unproved extends Problem { ticket: string; methods: Proof[] }

// POST /api/v1/session answers 401 "second_factor" with a ticket where more than a password is
// needed; session/code and session/key take it. 403 "step_up": session/prove gives another ticket.
export type Proof = "password" | "code" | "key" | "recovery" | "provider";
// GET /api/v1/sign-in -> Ways
export interface Ways { provider: boolean; key_origin: string | null; codes: boolean }
// GET /api/v1/factors -> Factors
export interface Factors {
  code: boolean; keys: { id: string; label: string; added: string }[];
  codes_possible: boolean; key_origin: string | null; recovery_left: number;
}
// GET /api/v1/users -> UserList
export interface UserRow {
  name: string; full_name: string; role: string; areas: string[]; source: string;
  locked_s: number; code: boolean; keys: number;
}
export interface UserList { users: UserRow[]; areas: string[]; roles: string[] }

// GET /api/v1/feeder -> Feeder (static for one model digest; load once)
export interface Feeder {
  id: string; name: string; digest: string;
  source: string; // node id of the head
  nodes: { id: string; phases: string; kv: number; x: number | null; y: number | null }[];
  // kind "open_switch" connects nothing now; it is drawn dashed
  branches: { id: string; from: string; to: string; phases: string;
    kind: "line" | "switch" | "open_switch" | "transformer" | "regulator" }[];
  resources: { id: string; name: string; kind: ResourceKind; node: string; rating_kw: number;
    area: string; customers: number }[];
  capacitors: { id: string; node: string }[];
  voltage_min_pu: number; voltage_max_pu: number;
  utc_offset_s: number; // local standard time of the site minus UTC: the console shows site time
}
export type ResourceKind = "load_group" | "battery" | "pv" | "generator";

// WebSocket /api/v1/stream: one Frame on connect and then one Frame each second (grid state is
// small enough here; `nodes`, `resources` may be partial after the first: merge by key).
export interface Frame {
  seq: number;
  at: string;
  full: boolean;
  mode: string; // "advisory"
  stopped: boolean;
  field_connected: boolean;
  head: { kw: number | null; limit_kw: number; quality: Validity; age_s: number };
  nodes: Record<string, NodeState>;
  resources: Record<string, ResourceState>;
  links: LinkState[];
  // active: the condition lasts; returned: it is over, but nobody has acknowledged it; unacked: of
  // both. top: at most 8, what lasts first, worst first
  alarms: { active: number; unacked: number; returned: number; top: Alarm[] };
  plans: PlanRow[]; // open and active ones, soonest expiry first
  forecast: ForecastState | null;
  trend: { t: string[]; head_kw: (number | null)[] } | null; // only in the full frame: last 2 h
  cycle: { at: string; status: string; reason: string; held: Held | null } | null;
  effect: Effect | null;
  requests: Request[]; // demand events that are not over
  blocked: string[]; // why nothing may be approved or released now; empty is fine
  tags: Tag[]; // what hangs on devices (SG-26), the oldest first
}
// GET tags -> { tags: Tag[] }. POST tags {device, kind, reason, work_order, hours (0: no end)} -> Tag;
// …/{id}/remove {reason} -> { tag: Tag | null } (null: gone; else another person has to agree)
export type TagKind = "control inhibit" | "control authority" | "caution";
export interface Tag {
  id: string; kind: TagKind; blocks: boolean; device: string; by: string; at: string;
  reason: string; work_order: string; until: string | null;
  in_field: boolean | null; // the field enforces it; null: it forbids nothing there
  removal: { by: string; at: string; reason: string } | null;
}
export interface NodeState { v: (number | null)[]; q: Validity; age_s: number } // pu per phase of the node
export interface ResourceState {
  kind: ResourceKind;
  power_kw: number | null; // fact
  confirmed_kw: number | null; // what the device says its setpoint is
  intended_kw: number | null; // what the active plan wants
  available_kw: number | null;
  soc_pct: number | null;
  lease_left_s: number | null;
  excluded: string | null;
  quality: Validity;
  age_s: number | null; // null: never heard of
}
export interface LinkState {
  id: string; protocol: string; endpoint: string; state: "up" | "connecting" | "down";
  points: number;
  poor: number; // of the points that are read, those without a good value now
  reads: number; late_scans: number; commands: number; reconnects: number;
  round_trip_ms: number | null; detail: string;
}
// GET links: asked for by the communications screen alone
export interface LinkDetail extends LinkState {
  configured_endpoint: string; since: string; events: number; in_flight: number; lock_owner: string;
  retries: number; timeouts: number; bytes_in: number; bytes_out: number;
  frames_in: number; frames_out: number; frame_errors: number; protocol_errors: number;
  round_trip_p50_ms: number | null; round_trip_p99_ms: number | null;
  last_error: string; last_error_at: string | null;
  certificate_expires: string | null; // real UTC, not grid time
  diagnostics: Record<string, string>;
  rejected_certificate: RejectedCertificate | null;
}
// A certificate for which the connection was given up; times in real UTC.
export interface RejectedCertificate {
  thumbprint: string; sha256: string; subject: string; application_uri: string;
  valid_from: string; valid_until: string; why: string; remedy: string;
}
// GET events: sequence of events, newest first
export interface FieldEvent {
  id: number; number: number; point: string; name: string; link: string;
  value: number; unit: string; quality: Validity; flags: string[];
  at: string; at_ms: number; time_quality: string;
}
export interface Alarm {
  key: string; priority: 1 | 2 | 3; text: string; response: string; raised: string;
  cleared: string | null; acked_by: string | null;
  state: "unacked" | "acked" | "cleared_unacked" | "normal";
  source: string; // the link whose device keeps the alarm; "" for one of gridctl's own
}
export interface ForecastState {
  start: string; step_s: number; p10: number[]; p50: number[]; p90: number[];
  method: string; nmae_pct: number | null;
}
export interface Effect {
  plan: string; expected_kw: number; band_kw: [number, number]; measured_kw: number | null;
  settled: boolean; kept: boolean | null;
}
export interface Request {
  id: string; event_id: string; name: string; source: string; start: string; end: string;
  target_kw: number; export_max_kw: number | null;
  state: "received" | "planned" | "active" | "completed" | "cancelled" | "unmet";
}
export interface PlanRow {
  id: string; version: number; state: PlanState; digest: string; net_kw: number; customers: number;
  cost: number; controls: Record<ResourceKind, number>; approvals: number; approvals_needed: number;
  expires_in_s: number | null; blocked: string[]; requests: string[]; created: string; reason: string;
}

// Planning fails since `since`: the last verified plan stands (null: none), made at `made`
export interface Held { plan: string | null; made: string | null; is_active: boolean; since: string; reason: string }

// GET /api/v1/plans -> { plans: PlanRow[] }.  GET /api/v1/plans/{id} -> PlanDetail
export interface PlanDetail extends PlanRow {
  held: Held | null; // why no newer plan could be made, while this one stands
  proposed_by: string;
  cautions: { tag: string; name: string; text: string }[]; // to be read before it is approved
  on_failure: "hold" | "continue" | "roll back"; // when too many commands do not take (SG-20)
  snapshot_revision: number;
  approved_by: { by: string; at: string; standing: string }[];
  left_to_people: string[];
  horizon: { start: string; step_s: number; count: number };
  head_before_kw: number[]; head_after_kw: number[]; limit_kw: number;
  // one row a resource that moves, in command order; `to_kw` and `effect_kw` are those of the
  // interval in which it first moves (`starts`); null in `series_kw`: no setpoint in that interval
  rows: { resource: string; name: string; kind: ResourceKind; node: string; area: string;
    starts: string; now_kw: number | null; to_kw: number; effect_kw: number; series_kw: (number | null)[]; how: string }[];
  excluded: { resource: string; name: string; reason: string }[];
  bindings: { limit: string; where: string; at: string; price: number; unit: string }[];
  shortfalls: { limit: string; where: string; at: string; amount: number; unit: string }[];
  // the plan in sentences, in the order in which a person asks; `from`/`to` null: all of it
  why: { resource: string; name: string; from: string; to: string; text: string }[];
  findings: { kind: FindingKind; text: string; from: string | null; to: string | null;
    amount: number | null; unit: string; cost: number | null; resources: string[] }[];
  check: null | { engine: string; ok: boolean; reasons: string[];
    before: Case; after: Case; linear_error_pu: number };
  voltages: { node: string; phase: string; before_pu: number; after_pu: number }[];
  solver: string; solve_s: number; rounds: number; status: string;
}
export type FindingKind = "reason" | "binding" | "shortfall" | "excluded" | "conflict" | "remedy" | "forecast" | "field";
export interface Case {
  converged: boolean; worst_voltage_pu: number; worst_voltage_at: string;
  highest_voltage_pu: number; highest_voltage_at: string;
  worst_loading_pct: number; worst_loading_at: string; violations: number; losses_kw: number;
}
// POST /api/v1/plans/{id}/approve {digest, cautions?: tag ids that were read} -> PlanDetail | 409 Problem | 403
// POST /api/v1/plans/{id}/reject  {digest, reason} -> PlanDetail | 409
// POST /api/v1/plans {} -> {id}: run the cycle now (201) | 409 with the reason there is no plan
// POST /api/v1/stop {reason} -> {stopped: true, latency_s}   POST /api/v1/resume {reason} -> {}
// POST /api/v1/return-to-default {reason} -> {}
// POST /api/v1/alarms/ack {key} -> {}

// GET /api/v1/commands?plan=ID -> { commands: CommandRow[] }
export interface CommandRow {
  id: string; plan: string; resource: string; name: string; point: string; value: number;
  unit: string; effect_kw: number; state: CommandState; status: string; detail: string;
  protocol: string;
  history: { state: CommandState; at: string; status: string; detail: string }[];
  measured_kw: number | null;
}
// GET /api/v1/commands/ID -> CommandDetail
export interface CommandDetail extends CommandRow { evidence: Evidence[] }
// One line a message: time, direction, words " | " octets.
export interface Evidence { state: CommandState; at: string; sha256: string; lines: string[] }
// GET /api/v1/alarms -> AlarmList. `system`: about gridctl itself. `first_out`: what came first.
export interface AlarmRow extends Alarm {
  system: boolean; shelved: { by: string; reason: string; until: string } | null;
}
export interface AlarmList {
  alarms: AlarmRow[]; flood: { since: string; count: number; first_out: string } | null;
}
// GET /api/v1/modes -> { areas: AreaMode[] }.  POST /api/v1/modes {area, mode, reason}; …/approve
// {area, digest?: of the envelope that was shown}; …/closed-loop {area, reason, Envelope without digest}
export interface Envelope {
  max_kw: number; ramp_kw: number; devices: string[]; from_hour: number; to_hour: number;
  causes: string[]; life_h: number; digest: string;
}
export interface AreaMode {
  area: string; mode: "off" | "shadow" | "advisory" | "closed loop"; since: string | null; by: string; reason: string;
  request: {
    to: string; by: string; at: string; reason: string; approved_by: string; envelope: Envelope | null;
  } | null;
  promotion: {
    envelope: Envelope; asked_by: string; approved_by: string[]; at: string; expires: string; digest: string;
  } | null;
  evidence: {
    scored: number; advisory: number; days: number; forecast_error_pct: number | null;
    plan_error_pct: number | null; lacking: string[];
  };
  bound: { max_kw: number; ramp_kw: number; devices: string[] } | null;
  scored: number; forecast_error_pct: number | null; relieved_kwh: number; over_kwh: number; lacking: string[];
}
// GET /api/v1/handovers -> { handovers: Handover[] }.  POST …/handovers {notes}; …/{number}/take {remarks}
export interface Handover {
  number: number; prepared_by: string; at: string; open_items: string[]; notes: string;
  taken_by: string; taken_at: string | null; remarks: string;
}
// GET /api/v1/manual-steps -> { steps: ManualStep[] }.  POST …/manual-steps {to, instruction};
// …/{number}/repeat {words}, …/confirm {words}, …/give-up {reason}
export interface ManualStep {
  number: number; issued_by: string; to: string; instruction: string; issued_at: string;
  repeat_back: string; repeated_at: string | null; confirmation: string; confirmed_at: string | null;
  closed: string;
}
// GET /api/v1/alarms/figures?hours= -> AlarmFigures
export interface AlarmFigures {
  start: string; end: string; hours: number; start_s: number; end_s: number; raised: number;
  per_day: number; per_10_min: number; most_in_10_min: number; floods: number; flood_s: number;
  chattering: string[]; stale: string[]; top: [string, number][]; priorities: [number, number][];
  acknowledged_after_s: number | null; judged: string[];
}

// GET /api/v1/audit?limit=&before= -> { rows: AuditRow[] }   GET /api/v1/audit/verify -> ChainCheck
export interface AuditRow {
  sequence: number; at: string; who: string; role: string; source: string; action: string;
  object: string; before: string; after: string; reason: string; result: string;
  plan_digest: string; hash: string;
}
export interface ChainCheck { rows: number; ok: boolean; first_bad: number | null; detail: string }
// GET /api/v1/trend?point=MRID&hours=H -> Trend
export interface Trend { point: string; unit: string; t: string[]; v: (number | null)[] }

// GET /api/v1/forecasts?hours=48&lead_h=1 -> ForecastPage: the forecast in use, past ones against what came, skill by lead.
export interface ForecastPage {
  feeder: string; at: string; limit_kw: number;
  current: ForecastQuantiles | null; past: PastForecast | null; measured: KwSeries | null; review: ForecastReview | null;
}
export interface ForecastQuantiles {
  start: string; step_s: number; quantiles: number[]; values_kw: number[][];
  method: string; history_days: number; nmae_pct: number | null;
}
export interface KwSeries { start: string; step_s: number; kw: (number | null)[] }
export interface PastForecast { lead_s: number; p10: KwSeries; p50: KwSeries; p90: KwSeries }
export interface ForecastReview {
  at: string; days: number; horizons: ForecastSkill[]; shift: { since: string; found: string; kw: number } | null;
}
export interface ForecastSkill {
  lead_s: number; nmae_pct: number; bias_kw: number; naive_pct: number | null;
  skill_pct: number | null; coverage_80_pct: number; count: number;
}

// GET /api/v1/assets -> AssetPage: the health of transformers, tap changers, switches and voltages.
export interface AssetPage { note: string; waits: string[]; review: AssetReview | null }
export interface AssetReview {
  at: string; days: number; score: number | null; worst: string | null; parts: Record<string, number>; coverage: number;
  transformers: ThermalHealth[]; movements: Movement[]; voltages: VoltageQuality[];
}
export interface ThermalHealth {
  name: string; kind: string; rating_kva: number; why: string; coverage: number;
  load_pct: number | null; hot_spot_c: number | null; top_oil_c: number | null; hot_spot_max_c: number | null;
  life_used_pct: number | null; ageing: number | null; is_alarm: boolean;
  paths: { quantile: number; hot_spot_max_c: number; time_to_limit_min: number | null; headroom: number }[];
  curve: { t: string[]; top_oil_c: number[]; hot_spot_c: number[]; hot_spot_p90_c: number[] };
}
export interface Movement {
  point: string; equipment: string; operations: number; per_day: number; busiest_day: number;
  hunting: number; days: number; coverage: number;
  openings: number | null; contacts_pct: number | null; mechanical_pct: number | null;
}
export interface VoltageQuality {
  point: string; equipment: string; phase: string; means: number; within_10_pct: number;
  lowest_pu: number; highest_pu: number; longest_outside_min: number; complies: boolean | null; coverage: number;
}

// GET /api/v1/settlements -> { runs }, /settlements/methods -> { methods }, /settlements/RUN -> SettledRun.
export interface SettledRow { id: string; event: string; version: number; made: string; by: string }
export interface SettlementMethod { id: string; title: string; version: string; digest: string }
export interface SettledRun extends SettledRow { run: SettlementBody }
export interface SettlementBody {
  ask: { resource: string; timezone: string; inputs: string };
  title: string; method_version: string; method_digest: string; days: string[]; notes: string[]; why_not: string[];
  adjustment: string; adjustment_raw: number | null; adjustment_used: number | null;
  score: { rrmse_pct: number; bias_pct: number; events: number } | null;
  baseline_kwh: number; load_kwh: number; reduction_kwh: number; committed_kwh: number;
  band_kwh: number | null; probability: number | null; performance_pct: number | null;
}

// GET /api/v1/validation -> { review: VeeReview | null }: values of the last day that a rule has marked.
export interface VeeReview { at: string; looked: number; marked: VeeMarked[] }
export interface VeeMarked { point: string; samples: number; rejected: number; rules: Record<string, number> }
