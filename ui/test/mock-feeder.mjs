// A feeder for the mock server: the IEEE 123-node feeder, read at run time from its published
// OpenDSS files (GRIDCTL_SHARED or ../shared) of which nothing is kept in the project; without them
// an invented tree of the same size.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

function sharedFolder() {
  const here = new URL(".", import.meta.url).pathname;
  const tried = [process.env.GRIDCTL_SHARED, join(here, "..", "..", "..", "shared")];
  const found = tried.find((p) => p && existsSync(join(p, "data/feeders/123Bus")));
  return found ? join(found, "data/feeders/123Bus") : null;
}

const LETTERS = ["", "A", "B", "C"];
const phasesOf = (bus) => {
  const numbers = bus.split(".").slice(1).map(Number).filter((n) => n > 0);
  return numbers.length ? numbers.map((n) => LETTERS[n]).join("") : "ABC";
};

/** The three files' texts: published, or of an invented tree in the same form. */
function texts() {
  const folder = sharedFolder();
  if (folder) {
    return ["IEEE123Master.dss", "BusCoords.dat", "IEEE123Loads.DSS"].map((n) => readFileSync(join(folder, n), "utf8"));
  }
  const lines = ["New Line.l115 Bus1=150r Bus2=1 "];
  const loads = [];
  const id = (i) => ({ 8: "9", 9: "9r", 24: "25", 25: "25r", 59: "160", 60: "160r", 61: "61s" })[i] ?? String(i + 200);
  for (let i = 1; i < 118; i += 1) {
    if ([9, 25, 60].includes(i)) continue;
    const parent = i < 4 ? "1" : id(i - 1 - ((i * 7) % 5));
    lines.push(`New Line.L${i} Bus1=${parent} Bus2=${i === 3 ? "66" : id(i)} `);
    if (i % 2) loads.push(`New Load.S${i} Bus1=${id(i)} kW=${20 + ((i * 13) % 40)} `);
  }
  for (const n of ["83", "88", "90", "92"]) lines.push(`New Line.L${n}c Bus1=1 Bus2=${n} `);
  return [lines.join("\n"), "", loads.join("\n")];
}

function depths(source, branches) {
  const depth = new Map([[source, 0]]);
  for (let moved = true; moved;) {
    moved = false;
    for (const b of branches) {
      if (b.kind === "open_switch") continue;
      for (const [a, z] of [[b.from, b.to], [b.to, b.from]]) {
        if (depth.has(a) && !depth.has(z)) { depth.set(z, depth.get(a) + 1); moved = true; }
      }
    }
  }
  return depth;
}

/** MOCK_FEEDER: a file with the answer of GET /api/v1/feeder, to try the console on another model. */
export function readFeeder() {
  if (process.env.MOCK_FEEDER) {
    const feeder = JSON.parse(readFileSync(process.env.MOCK_FEEDER, "utf8"));
    return { feeder, depth: depths(feeder.source, feeder.branches) };
  }
  const [master, places, spots] = texts();
  const nodes = new Map();
  const branches = [];
  const add = (bus, phases, kv = 4.16) => {
    const id = bus.split(".")[0].toLowerCase();
    const seen = nodes.get(id);
    if (!seen || phases.length > seen.phases.length) nodes.set(id, { id, phases, kv, x: null, y: null });
    return id;
  };
  for (const line of master.split("\n")) {
    const found = /^New Line\.(\S+).*Bus1=(\S+)\s+Bus2=(\S+)/i.exec(line);
    if (!found) continue;
    const [, name, one, two] = found;
    const phases = phasesOf(one);
    const open = /_OPEN/.test(two);
    const isSwitch = /^Sw/i.test(name);
    branches.push({
      id: name.toLowerCase(), phases, from: add(one, phases), to: add(two.replace("_OPEN", ""), phases),
      kind: open ? "open_switch" : isSwitch ? "switch" : "line",
    });
  }
  for (const [id, from, to, phases] of [
    ["reg1a", "150", "150r", "ABC"], ["reg2", "9", "9r", "A"], ["reg3", "25", "25r", "AC"], ["reg4", "160", "160r", "ABC"],
  ]) branches.push({ id, from: add(from, phases), to: add(to, phases), phases, kind: "regulator" });
  branches.push({ id: "xfm1", from: add("61s", "ABC"), to: add("610", "ABC", 0.48), phases: "ABC", kind: "transformer" });
  for (const line of places.split("\n")) {
    const [id, x, y] = line.trim().split(/\s+/);
    const node = nodes.get((id ?? "").toLowerCase());
    if (node) Object.assign(node, { x: Number(x), y: Number(y) });
  }
  const loads = new Map();
  for (const line of spots.split("\n")) {
    const found = /^New Load\.\S+\s+Bus1=(\S+).*kW=([\d.]+)/i.exec(line);
    if (!found) continue;
    const id = found[1].split(".")[0];
    loads.set(id, (loads.get(id) ?? 0) + Number(found[2]));
  }
  const depth = depths("150", branches);
  const resources = [];
  const loaded = [...loads.entries()].sort((a, b) => b[1] - a[1]).map(([id]) => id);
  const pick = (n, from, kind, make) => {
    for (let i = 0; i < n; i += 1) {
      const node = from[i % from.length];
      resources.push({ kind, node, area: Number(node) > 60 ? "north" : "south", ...make(i, node) });
    }
  };
  pick(22, loaded, "load_group", (i, node) => ({
    id: `LG${String(i + 1).padStart(2, "0")}`, name: `LG-${String(i + 1).padStart(2, "0")}`,
    rating_kw: Math.round(Math.min(60, loads.get(node) * 0.4)), customers: 4 + ((i * 5) % 11),
  }));
  const far = [...depth.entries()].filter(([n]) => n !== "610").sort((a, b) => b[1] - a[1]).map(([n]) => n);
  pick(12, far.filter((_, i) => i % 8 === 3), "battery", (i) => ({
    id: `BESS${String(i + 1).padStart(2, "0")}`, name: `BESS-${String(i + 1).padStart(2, "0")}`,
    rating_kw: [50, 75, 100][i % 3], customers: 0,
  }));
  pick(32, loaded.filter((_, i) => i % 2 === 1), "pv", (i) => ({
    id: `PV${String(i + 1).padStart(2, "0")}`, name: `PV-${String(i + 1).padStart(2, "0")}`,
    rating_kw: 15 + ((i * 7) % 25), customers: 1,
  }));
  return {
    depth,
    feeder: {
      id: "ieee123", name: "IEEE 123 pilot", digest: "sha256:9f21c0d4e7ab55b1", source: "150",
      nodes: [...nodes.values()], branches, resources,
      capacitors: ["83", "88", "90", "92"].map((n) => ({ id: `c${n}`, node: n })),
      voltage_min_pu: 0.95, voltage_max_pu: 1.05, utc_offset_s: -5 * 3600,
    },
  };
}
