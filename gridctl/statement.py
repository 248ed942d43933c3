"""A settlement run for the customer: one page, as HTML that stands alone and as PDF.

What it says is written once (`_Words`); the two forms only set it.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from gridctl.pdfpage import MARGIN, Document
from optimizer.baselines.run import Run

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 56, 28
DAYS_NAMED, PASSED_NAMED, LABELS = 10, 20, 6
HEADER = ("from", "baseline kW", "meter kW", "reduction kW", "reading")

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;max-width:46rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
.lead{font-size:1.15rem}.no{border-left:4px solid #b3261e;padding-left:.8rem}
table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.2rem .5rem;
border-bottom:1px solid #d8dee4}th:first-child,td:first-child{text-align:left}
.small{color:#57606a;font-size:.85rem}svg{width:100%;height:auto}
@media print{body{margin:0}h2{break-after:avoid}tr{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What a statement says. `refusal` empty: it settles."""

    title: str
    subtitle: str
    lead: str
    refusal: str
    rows: tuple[tuple[str, ...], ...]
    how: str
    passed: tuple[str, ...]
    sureness: str
    origin: str


def statement_html(run: Run) -> str:
    """The page. Every figure on it stands in `run`."""
    words = _words(run)
    refusal = f"<p class=no>{escape(words.refusal)}</p>" if words.refusal else ""
    header = "".join(f"<th>{name}" for name in HEADER)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in words.rows)
    passed = "".join(f"<li>{escape(line)}" for line in words.passed)
    passed = (
        f"<div class=small>Days that were passed over:<ul>{passed}</ul></div>" if passed else ""
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>Settlement {escape(run.id)}</title><style>{_STYLE}</style>",
            f"<h1>{escape(words.title)}</h1><div class=small>{escape(words.subtitle)}</div>",
            f"<p class=lead><b>{escape(words.lead)}</b></p>{refusal}",
            f"<h2>Hour by hour</h2>{_picture(run)}",
            "<div class=small>dashed: baseline, solid: your meter</div>",
            f"<table><tr>{header}{rows}</table>",
            f"<h2>How the baseline was made</h2><p>{escape(words.how)}</p>{passed}",
            f"<h2>How sure it is</h2><p>{escape(words.sureness)}</p>",
            f"<div class=small>{escape(words.origin)}</div></html>",
            "",
        ]
    )


def statement_pdf(run: Run) -> str:
    """The same as PDF, ASCII throughout."""
    words = _words(run)
    page = Document()
    page.paragraph(words.title, size=16, bold=True)
    page.paragraph(words.subtitle, size=9)
    page.y += 8
    page.paragraph(words.lead, size=12, bold=True)
    if words.refusal:
        page.paragraph(words.refusal)
    page.y += 16
    _drawn(page, run)
    _set_table(page, words.rows)
    for heading, text in (
        ("How the baseline was made", words.how),
        ("How sure it is", words.sureness),
    ):
        page.y += 12
        page.paragraph(heading, size=12, bold=True)
        page.paragraph(text)
        if text is words.how and words.passed:
            page.paragraph(f"Days that were passed over: {'; '.join(words.passed)}.", size=8)
    page.y += 10
    page.paragraph(words.origin, size=8)
    return page.written()


def _words(run: Run) -> _Words:
    ask = run.ask
    band = "" if run.band_kwh is None else f" ± {run.band_kwh:,.1f}"
    share = (
        "" if run.performance_pct is None else f", {run.performance_pct:.0f} % of what was agreed"
    )
    refusal = ""
    if run.band_kwh is not None and run.band_kwh >= run.reduction_kwh:
        refusal = "With this error it cannot be told apart from no reduction at all."
    if run.why_not:
        refusal = (
            f"This baseline does not settle: {'; '.join(run.why_not)}. The figures are for "
            "information; a firm service level applies instead."
        )
    rows = [
        (
            _clock(row.start_h),
            f"{row.baseline_kw:,.1f}",
            f"{row.load_kw:,.1f}",
            f"{row.reduction_kw:,.1f}",
            row.doubts,
        )
        for row in run.rows
    ]
    sums = (run.baseline_kwh, run.load_kwh, run.reduction_kwh)
    rows.append(("energy, kWh", *(f"{value:,.1f}" for value in sums), ""))  # type: ignore[arg-type]
    return _Words(
        title=f"Demand response on {ask.when.isoformat()}",
        subtitle=f"{ask.resource}, {_clock(ask.start_h)} to {_clock(ask.end_h)} "
        f"({ask.timezone}), run {run.id}",
        lead=f"You used {run.reduction_kwh:,.1f}{band} kWh less than without the event{share}.",
        refusal=refusal,
        rows=tuple(rows),
        how=_how(run),
        passed=tuple(f"{day}: {why}" for day, why in run.passed[:PASSED_NAMED]),
        sureness=_sureness(run),
        origin=f"Inputs {ask.inputs[:16]}, method {run.method_digest[:16]}.",
    )


def _how(run: Run) -> str:
    found = f"{run.title} (version {run.method_version})."
    if run.days:
        more = len(run.days) - DAYS_NAMED
        found += f" Made of {', '.join(run.days[:DAYS_NAMED])}"
        found += f" and {more} more." if more > 0 else "."
    if run.adjustment_used is not None and run.adjustment_raw is not None:
        if run.adjustment == "ratio":
            found += f" The day itself moves it by a factor of {run.adjustment_used:.3f}"
            capped = run.adjustment_used != run.adjustment_raw
            found += f" (capped; it would be {run.adjustment_raw:.3f})." if capped else "."
        else:
            found += f" The day itself moves it by {run.adjustment_used:+,.1f} kW."
    return found + "".join(f" Note: {note}." for note in run.notes)


def _sureness(run: Run) -> str:
    if run.score is None:
        return "A firm service level is agreed, not estimated: it has no error of its own."
    if not run.score.events:
        return "There was no day on which the same baseline could have been tried: nobody knows."
    chance = ""
    if run.probability is not None:
        chance = f" The probability that you used less at all is {100 * run.probability:.0f} %."
    return (
        f"The same baseline was computed for {run.score.events} days on which nothing was asked. "
        f"It missed the meter by {run.score.rrmse_pct:.1f} % (RRMSE; 20 % are allowed) and was "
        f"{run.score.bias_pct:+.1f} % off on average (4 % are allowed).{chance} The band above is "
        "that error at 90 %."
    )


def _picture(run: Run) -> str:
    """Baseline and load as steps."""
    top = _top(run)
    wide = (WIDTH - LEFT) / len(run.rows)
    base = HEIGHT - BOTTOM

    def steps(values: list[float]) -> str:
        return " ".join(
            f"{LEFT + at * wide:.1f},{base * (1.0 - value / top):.1f}"
            for at, value in _steps(values)
        )

    labels = "".join(
        f'<text x="{LEFT + k * wide:.1f}" y="{HEIGHT - 8}" font-size="12">'
        f"{_clock(run.rows[k].start_h)}</text>"
        for k in range(0, len(run.rows), max(1, len(run.rows) // LABELS))
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="baseline and load, kW">'
        f'<line x1="{LEFT}" y1="{base}" x2="{WIDTH}" y2="{base}" stroke="#8c959f"/>'
        f'<text x="0" y="14" font-size="12">{top / 1.08:,.0f} kW</text>'
        f'<text x="0" y="{base}" font-size="12">0</text>{labels}'
        f'<polyline points="{steps([row.baseline_kw for row in run.rows])}" fill="none" '
        'stroke="#57606a" stroke-width="2" stroke-dasharray="6 4"/>'
        f'<polyline points="{steps([row.load_kw for row in run.rows])}" fill="none" '
        'stroke="#0969da" stroke-width="2.5"/></svg>'
    )


def _drawn(page: Document, run: Run) -> None:
    """The picture on paper."""
    high, left = 130.0, MARGIN + 50.0
    top, floor = _top(run), page.y + high
    wide = (page.right - left) / len(run.rows)
    page.text(MARGIN, f"{top / 1.08:,.0f} kW", size=8)
    for values, width, dashed in (
        ([row.baseline_kw for row in run.rows], 1.0, True),
        ([row.load_kw for row in run.rows], 1.5, False),
    ):
        points = [(left + at * wide, floor - high * value / top) for at, value in _steps(values)]
        page.line(points, width=width, dashed=dashed)
    page.line([(left, floor), (page.right, floor)])
    page.y = floor + 10
    for k in range(0, len(run.rows), max(1, len(run.rows) // LABELS)):
        page.text(left + k * wide, _clock(run.rows[k].start_h), size=8)
    page.y += 4
    page.paragraph("dashed: baseline, solid: your meter", size=8)
    page.y += 6


def _set_table(page: Document, rows: tuple[tuple[str, ...], ...]) -> None:
    ends = (MARGIN + 150.0, MARGIN + 240.0, MARGIN + 340.0)
    for k, row in enumerate((HEADER, *rows)):
        page.room(15)
        page.y += 15
        bold = k in (0, len(rows))
        page.text(MARGIN, row[0], size=9, bold=bold)
        for end, cell in zip(ends, row[1:4], strict=True):
            page.text(end, cell, size=9, bold=bold, right=True)
        page.text(ends[-1] + 20, row[4], size=9)
        page.line([(MARGIN, page.y + 4), (page.right, page.y + 4)], width=0.25)
    page.y += 6


def _top(run: Run) -> float:
    return 1.08 * max(max(row.load_kw, row.baseline_kw) for row in run.rows) or 1.0


def _steps(values: list[float]) -> list[tuple[int, float]]:
    return [(k + side, max(value, 0.0)) for k, value in enumerate(values) for side in (0, 1)]


def _clock(hours: float) -> str:
    minutes = round(hours * 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
