// Limits by interval, gathered into one line a limit.

export interface Run {
  limit: string;
  where: string;
  unit: string;
  first: string;
  last: string;
  intervals: number;
  most: number;
}

/** One line a limit, not one an interval: from when to when, and the largest figure. */
export function runs(
  list: { limit: string; where: string; at: string; unit: string; figure: number }[],
): Run[] {
  const found = new Map<string, Run>();
  for (const x of list) {
    const key = `${x.limit}|${x.where}|${x.unit}`;
    const run = found.get(key);
    if (!run) {
      found.set(key, { limit: x.limit, where: x.where, unit: x.unit, first: x.at, last: x.at, intervals: 1, most: x.figure });
      continue;
    }
    if (x.at < run.first) run.first = x.at;
    if (x.at > run.last) run.last = x.at;
    run.intervals += 1;
    if (Math.abs(x.figure) > Math.abs(run.most)) run.most = x.figure;
  }
  return [...found.values()].sort((a, b) => Math.abs(b.most) - Math.abs(a.most));
}
