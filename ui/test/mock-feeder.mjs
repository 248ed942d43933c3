// A feeder for the mock server, read at run time from the published OpenDSS files of the IEEE
// 123-node feeder (GRIDCTL_SHARED or ../shared). Nothing of it is kept in the project.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

function sharedFolder() {
  const here = new URL(".", import.meta.url).pathname;
  const tried = [process.env.GRIDCTL_SHARED, join(here, "..", "..", "..", "shared")];
  const found = tried.find((p) => p && existsSync(join(p, "data/feeders/123Bus")));
  if (!found) throw new Error("mock server: set GRIDCTL_SHARED to the folder with data/feeders/123Bus");
  return join(found, "data/feeders/123Bus");
}

const LETTERS = ["", "A", "B", "C"];
const phasesOf = (bus) => {
  const numbers = bus.split(".").slice(1).map(Number).filter((n) => n > 0);
  return numbers.length ? numbers.map((n) => LETTERS[n]).join("") : "ABC";
};

export function readFeeder() {
  const folder = sharedFolder();
  const nodes = new Map();
  const branches = [];
  const add = (bus, phases, kv = 4.16) => {
    const id = bus.split(".")[0].toLowerCase();
    const seen = nodes.get(id);
    if (!seen || phases.length > seen.phases.length) nodes.set(id, { id, phases, kv, x: null, y: null });
    return id;
  };
  for (const line of readFileSync(join(folder, "IEEE123Master.dss"), "utf8").split("\n")) {
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
  for (const line of readFileSync(join(folder, "BusCoords.dat"), "utf8").split("\n")) {
    const [id, x, y] = line.trim().split(/\s+/);
    const node = nodes.get((id ?? "").toLowerCase());
    if (node) Object.assign(node, { x: Number(x), y: Number(y) });
  }
  const loads = new Map();
  for (const line of readFileSync(join(folder, "IEEE123Loads.DSS"), "utf8").split("\n")) {
    const found = /^New Load\.\S+\s+Bus1=(\S+).*kW=([\d.]+)/i.exec(line);
    if (!found) continue;
    const id = found[1].split(".")[0];
    loads.set(id, (loads.get(id) ?? 0) + Number(found[2]));
  }
  const depth = new Map([["150", 0]]);
  for (let moved = true; moved;) {
    moved = false;
    for (const b of branches) {
      if (b.kind === "open_switch") continue;
      for (const [a, z] of [[b.from, b.to], [b.to, b.from]]) {
        if (depth.has(a) && !depth.has(z)) { depth.set(z, depth.get(a) + 1); moved = true; }
      }
    }
  }
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
      voltage_min_pu: 0.95, voltage_max_pu: 1.05,
    },
  };
}
