"""docs/reference/safeguards.md: the register of gridctl/safeguards."""

from __future__ import annotations

from gridctl.safeguards import REGISTER, Safeguard, Standing
from tests.docs.tables import GENERATED, table

_INTRO = """\
What stands between a wrong plan and a device. `gridctl check safeguards` prints the same register. Defaults
and ranges are read from the code that enforces them. "None: must be given" means that nothing that moves
power has a default. A test fails when one that is in force, or in part, has no test of its name. "Left out" is what of a
requirement is judged wrong or too early, and why."""


def safeguards_page() -> str:
    """The whole page."""
    count = {s: sum(one.standing is s for one in REGISTER) for s in Standing}
    summary = ", ".join(f"{number} {standing}" for standing, number in count.items())
    rows = [
        (one.id, one.title, one.what, _settings(one), one.seen, _standing(one), _tests(one))
        for one in REGISTER
    ]
    heads = (
        "",
        "safeguard",
        "what it does",
        "setting",
        "where a person sees it",
        "standing",
        "proved by",
    )
    return f"# Safeguards\n\n{GENERATED}\n\n{_INTRO}\n\n{summary}.\n\n{table(heads, rows)}\n"


def _settings(one: Safeguard) -> str:
    return "<br>".join(f"`{s.name}`: {s.default}; {s.range}" for s in one.settings)


def _standing(one: Safeguard) -> str:
    words = f"**{one.standing}**" + (f". Missing: {one.missing}" if one.missing else "")
    return words + (f". Left out: {one.left_out}" if one.left_out else "")


def _tests(one: Safeguard) -> str:
    return "<br>".join(f"`{name}`" for name in one.tests)
