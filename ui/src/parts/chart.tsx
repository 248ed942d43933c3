// Time charts on uPlot: lines, one band, a limit. Colours come from the palette in the style sheet.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { minuteOf, number, SITE_TIME, siteDate } from "../format";
import { palette } from "../state/store";

export interface Line {
  name: string;
  /** Custom property with the colour. */
  colour: string;
  width: number;
  dash?: number[];
  /** Steps instead of slopes. */
  steps?: boolean;
}

export interface Series {
  line: Line;
  t: readonly number[];
  v: readonly (number | null)[];
}

export interface Band {
  name: string;
  colour: string;
  t: readonly number[];
  low: readonly number[];
  high: readonly number[];
}

interface Drawn {
  data: uPlot.AlignedData;
  key: string;
}

function joined(series: Series[], band: Band | null): Drawn {
  const tables: uPlot.AlignedData[] = [];
  if (band) tables.push([[...band.t], [...band.high], [...band.low]]);
  for (const s of series) tables.push([[...s.t], [...s.v]]);
  const key = JSON.stringify([band?.name, series.map((s) => s.line)]);
  const some = tables.filter((t) => t[0].length > 0);
  if (some.length === 0) return { data: [[], ...tables.flatMap((t) => t.slice(1).map(() => []))] as uPlot.AlignedData, key };
  return { data: uPlot.join(tables), key };
}

function options(
  series: Series[], band: Band | null, nowAt: () => number | null, width: number, height: number,
  style: CSSStyleDeclaration,
): uPlot.Options {
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--text-2"), font: "11px Inter, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif",
    grid: { stroke: colour("--rule"), width: 1 }, ticks: { show: false },
  };
  const lines: uPlot.Series[] = [];
  if (band) {
    lines.push({ label: `${band.name} high`, width: 0, points: { show: false } });
    lines.push({ label: `${band.name} low`, width: 0, points: { show: false } });
  }
  for (const { line } of series) {
    lines.push({
      label: line.name, stroke: colour(line.colour), width: line.width, points: { show: false },
      ...(line.dash ? { dash: line.dash } : {}),
      ...(line.steps && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
    });
  }
  return {
    width, height, legend: { show: false }, tzDate: siteDate,
    cursor: { points: { size: 6 }, drag: { x: false, y: false, setScale: false } },
    padding: [10, 22, 0, 0],
    scales: { x: { time: true }, y: { range: (_u, low, high) => roomy(low, high) } },
    axes: [
      { ...axis, size: 26, values: (_u, ticks) => ticks.map((t) => minuteOf(new Date(t * 1000).toISOString())), space: 70 },
      { ...axis, size: 52, values: (_u, ticks) => ticks.map((t) => number(t)), space: 26 },
    ],
    series: [{}, ...lines],
    ...(band ? { bands: [{ series: [1, 2] as [number, number], fill: colour(band.colour) }] } : {}),
    hooks: { draw: [(u) => drawNow(u, nowAt(), colour("--text-2"))] },
  };
}

function roomy(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const room = Math.max(20, (high - low) * 0.08);
  return [low - room, high + room];
}

function drawNow(u: uPlot, at: number | null, colour: string): void {
  if (at === null) return;
  const x = u.valToPos(at, "x", true);
  if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
  const c = u.ctx;
  c.save();
  c.strokeStyle = colour;
  c.setLineDash([2, 3]);
  c.beginPath();
  c.moveTo(x, u.bbox.top);
  c.lineTo(x, u.bbox.top + u.bbox.height);
  c.stroke();
  c.restore();
}

export function Chart(props: {
  series: Series[]; band: Band | null; now: number | null; summary: string; unit: string;
}) {
  const host = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLOutputElement>(null);
  const plot = useRef<uPlot | null>(null);
  const nowAt = useRef<number | null>(props.now);
  nowAt.current = props.now;
  const drawn = joined(props.series, props.band);
  const names = (props.band ? [`${props.band.name} high`, `${props.band.name} low`] : [])
    .concat(props.series.map((s) => s.line.name));
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const made = new uPlot(
      options(props.series, props.band, () => nowAt.current, element.clientWidth, element.clientHeight,
        getComputedStyle(document.documentElement)),
      drawn.data, element,
    );
    plot.current = made;
    const setCursor = (u: uPlot): void => {
      if (tip.current) tip.current.textContent = readOut(u, names, props.unit);
    };
    (made.hooks.setCursor ??= []).push(setCursor);
    const watch = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [drawn.key, palette.value]);
  useEffect(() => {
    plot.current?.setData(drawn.data);
  });
  return (
    <figure class="chart" aria-label={props.summary}>
      <div class="plot" ref={host} aria-hidden="true" />
      <output class="readout" ref={tip} aria-hidden="true" />
      <ul class="chart-legend">
        {props.series.map((s) => (
          <li key={s.line.name}><i class={`swatch ${s.line.colour.slice(2)} ${s.line.dash ? "dashed" : ""}`} />{s.line.name}</li>
        ))}
        {props.band ? <li><i class="swatch band" />{props.band.name}</li> : null}
        <li class="axis-note">{SITE_TIME}</li>
      </ul>
    </figure>
  );
}

/** Values under the cursor, each series at its own nearest earlier sample. */
function readOut(u: uPlot, names: string[], unit: string): string {
  const at = u.cursor.idx;
  if (at === null || at === undefined) return "";
  const t = u.data[0][at];
  if (t === undefined) return "";
  const parts = names.map((name, i) => {
    const column = u.data[i + 1] ?? [];
    for (let k = at; k >= Math.max(0, at - 120); k -= 1) {
      const v = column[k];
      if (v === null) return null;
      if (v !== undefined) return `${name} ${number(v)}`;
    }
    return null;
  });
  return `${minuteOf(new Date(t * 1000).toISOString())} ${SITE_TIME}  ${parts.filter(Boolean).join("  ")}  ${unit}`;
}
