"""A pilot in which closed loop may be asked for: OT's leave as the how-to writes it, the persons,
and scored days.

The scores are seeded: rows of the store's own kind, written through its own API, as if the areas
had been in shadow for some days and one plan had been approved since. Everything after that is
real.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

from gridctl.config import load_settings
from gridctl.model.mode import AreaMode, Mode, ShadowScore
from gridctl.model.plan import PlanState
from gridctl.store.engine import open_store
from tests.gridctl.store.examples import plan

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto" / "let-an-area-run-by-itself.md"
AREAS = ("CENTRAL", "EAST", "NORTH")
OPERATORS = {
    "operator-a": ("First operator", "OPERATOR"),
    "operator-b": ("Second operator", "SUPERVISOR"),
}
PASSWORD = "a long enough phrase for this pilot"
DAY_S = 86_400.0
PLANS = 6


def block(language: str, part: str) -> str:
    """The how-to's only block of `language` that has `part` in it."""
    text = HOWTO.read_text(encoding="utf-8")
    (found,) = [b for b in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if part in b]
    return str(found)


def run_block(
    part: str, instance: Path, *, user: str = "", password: str = PASSWORD, **instead: str
) -> str:
    """What the how-to's shell block with `part` in it prints, as `user` at this pilot; `instead`:
    other words than those of the page."""
    lines = block("sh", part)
    for word, other in {**instead, ".gridctl/demo": str(instance)}.items():
        assert word in lines, f"{word} is not in {lines}"
        lines = lines.replace(word, other)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=ROOT,
        env={**os.environ, "GRIDCTL_USER": user, "GRIDCTL_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def allow_closed_loop(instance: Path) -> dict[str, str]:
    """OT's tables, signed; less evidence asked for; scored days; passwords of operators and
    engineer."""
    run_block("limits sign", instance, **{"allowed.toml": str(instance / "allowed.toml")})
    with (instance / "gridctl.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n" + block("toml", "[modes]"))
    asyncio.run(_seed(instance))
    made = run_block("user add", instance)
    return {**dict.fromkeys(OPERATORS, PASSWORD), "engineer": made.split()[-1]}


async def _seed(instance: Path) -> None:
    settings = load_settings(instance / "gridctl.toml")
    clock = settings.grid_clock()
    store = await open_store(settings.database.url, clock=clock)
    now_s = clock.now_s()
    try:
        for name, (full_name, role) in OPERATORS.items():
            await store.users.add_user(name, full_name, role, PASSWORD)
        async with store.transaction() as unit:
            for area in AREAS:
                await unit.put_mode(
                    AreaMode(
                        area=area,
                        mode=Mode.ADVISORY,
                        since_s=now_s - DAY_S,
                        by="engineer, operator-a, operator-b",
                        reason="its shadow plans were right",
                    )
                )
        for number in range(PLANS):
            mrid = f"{'P' if number == 0 else 'S'}-seeded-{number}"
            # All but the last within the one day that is looked at, which reaches beyond it.
            start_s = now_s - (1.5 if number == PLANS - 1 else 0.5) * DAY_S
            seen = ShadowScore(
                plan=mrid,
                areas=AREAS,
                start_s=start_s,
                end_s=start_s + 3_600.0,
                forecast_error_pct=4.0,
                plan_error_kw=60.0,
                over_kwh=200.0,
                relieved_kwh=180.0,
                moved_kwh=400.0,
                cost=150.0,
            )
            async with store.transaction() as unit:
                await unit.add_plan(replace(plan(mrid)), PlanState.SHADOW, start_s)
                await unit.add_score(seen)
    finally:
        await store.close()
