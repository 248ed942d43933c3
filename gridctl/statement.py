"""A settlement run for the customer: one page of HTML that stands alone and prints on paper."""

from __future__ import annotations

from html import escape

from optimizer.baselines.run import Run

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 56, 28

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;max-width:46rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
.lead{font-size:1.15rem}.no{border-left:4px solid #b3261e;padding-left:.8rem}
table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.2rem .5rem;
border-bottom:1px solid #d8dee4}th:first-child,td:first-child{text-align:left}
small,.small{color:#57606a;font-size:.85rem}svg{width:100%;height:auto}
@media print{body{margin:0}h2{break-after:avoid}tr{break-inside:avoid}}
"""


def statement_html(run: Run) -> str:
    """The page. Every figure on it stands in `run`."""
    ask = run.ask
    hours = f"{_clock(ask.start_h)} to {_clock(ask.end_h)} ({escape(ask.timezone)})"
    what = f"{escape(ask.resource)}, {hours}"
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>Settlement {escape(run.id)}</title><style>{_STYLE}</style>",
        f"<h1>Demand response on {ask.when.isoformat()}</h1>",
        f"<div class=small>{what}, run {escape(run.id)}</div>",
        _lead(run),
        "<h2>Hour by hour</h2>",
        _picture(run),
        _table(run),
        "<h2>How the baseline was made</h2>",
        _how(run),
        "<h2>How sure it is</h2>",
        _sureness(run),
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _lead(run: Run) -> str:
    band = "" if run.band_kwh is None else f" ± {run.band_kwh:,.1f}"
    share = (
        "" if run.performance_pct is None else f", {run.performance_pct:.0f} % of what was agreed"
    )
    found = (
        f"<p class=lead>You used <b>{run.reduction_kwh:,.1f}{band} kWh</b> less than without the "
        f"event{share}.</p>"
    )
    if run.why_not:
        why = "; ".join(escape(reason) for reason in run.why_not)
        found += (
            f"<p class=no>This baseline does not settle: {why}. The figures are for information; "
            "a firm service level applies instead.</p>"
        )
    return found


def _picture(run: Run) -> str:
    """Baseline and load as steps."""
    top = 1.08 * max(max(row.load_kw, row.baseline_kw) for row in run.rows) or 1.0
    count = len(run.rows)
    wide = (WIDTH - LEFT) / count

    def steps(values: list[float]) -> str:
        points = []
        for k, value in enumerate(values):
            y = (HEIGHT - BOTTOM) * (1.0 - max(value, 0.0) / top)
            points += [f"{LEFT + k * wide:.1f},{y:.1f}", f"{LEFT + (k + 1) * wide:.1f},{y:.1f}"]
        return " ".join(points)

    labels = "".join(
        f'<text x="{LEFT + k * wide:.1f}" y="{HEIGHT - 8}" font-size="12">'
        f"{_clock(run.rows[k].start_h)}</text>"
        for k in range(0, count, max(1, count // 6))
    )
    base = HEIGHT - BOTTOM
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="baseline and load, kW">'
        f'<line x1="{LEFT}" y1="{base}" x2="{WIDTH}" y2="{base}" stroke="#8c959f"/>'
        f'<text x="0" y="14" font-size="12">{top / 1.08:,.0f} kW</text>'
        f'<text x="0" y="{base}" font-size="12">0</text>{labels}'
        f'<polyline points="{steps([row.baseline_kw for row in run.rows])}" fill="none" '
        'stroke="#57606a" stroke-width="2" stroke-dasharray="6 4"/>'
        f'<polyline points="{steps([row.load_kw for row in run.rows])}" fill="none" '
        'stroke="#0969da" stroke-width="2.5"/></svg>'
        "<div class=small>dashed: baseline, solid: your meter</div>"
    )


def _table(run: Run) -> str:
    rows = "".join(
        f"<tr><td>{_clock(row.start_h)}<td>{row.baseline_kw:,.1f}<td>{row.load_kw:,.1f}"
        f"<td>{row.reduction_kw:,.1f}<td>{escape(row.doubts)}"
        for row in run.rows
    )
    return (
        "<table><tr><th>from<th>baseline kW<th>meter kW<th>reduction kW<th>reading</tr>"
        f"{rows}<tr><td>energy, kWh<td>{run.baseline_kwh:,.1f}<td>{run.load_kwh:,.1f}"
        f"<td><b>{run.reduction_kwh:,.1f}</b><td></table>"
    )


def _how(run: Run) -> str:
    found = f"<p>{escape(run.title)} (version {escape(run.method_version)})."
    if run.days:
        named = ", ".join(run.days[:10])
        more = f" and {len(run.days) - 10} more" if len(run.days) > 10 else ""  # noqa: PLR2004
        found += f" Made of {named}{more}."
    if run.adjustment_used is not None and run.adjustment_raw is not None:
        found += (
            f" The day itself adjusts it: {run.adjustment_raw:.3f}, "
            f"{run.adjustment_used:.3f} after the cap."
        )
    found += "".join(f" Note: {escape(note)}." for note in run.notes) + "</p>"
    if run.passed:
        rows = "".join(f"<li>{day}: {escape(why)}" for day, why in run.passed[:20])
        found += f"<div class=small>Days that were passed over:<ul>{rows}</ul></div>"
    return found


def _sureness(run: Run) -> str:
    if run.score is None:
        return "<p>A firm service level is agreed, not estimated: it has no error of its own.</p>"
    chance = (
        ""
        if run.probability is None
        else f" The probability that you used less at all is {100 * run.probability:.0f} %."
    )
    return (
        f"<p>The same baseline was computed for {run.score.events} days on which nothing was "
        f"asked. It missed the meter by {run.score.rrmse_pct:.1f} % (RRMSE; 20 % are allowed) and "
        f"was {run.score.bias_pct:+.1f} % off on average (4 % are allowed).{chance} "
        "The band above is that error at 90 %.</p>"
        f"<div class=small>Inputs {run.ask.inputs[:16]}, method {run.method_digest[:16]}.</div>"
    )


def _clock(hours: float) -> str:
    minutes = round(hours * 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
