"""`gridctl substation plan` against offices over real HTTP, with processes that plan."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from typer.testing import CliRunner

from gridctl.cli import app
from gridctl.model.program import RequestState
from tests.gridctl.openadr.vtn import SECRET
from tests.gridctl.platform_api.house import House, running_house
from tests.gridctl.test_substation import most_kw, noon_task


def written(houses: list[House], folder: Path, limit_kw: float) -> Path:
    """The substation's file, as a person writes it."""
    (folder / "office.secret").write_text(SECRET + "\n", encoding="utf-8")
    members = "".join(
        f'[[feeder]]\nurl = "{h.client.make_url("/")}"\nclient_id = "bl"\n'
        'secret_file = "office.secret"\n'
        for h in houses
    )
    path = folder / "sub.toml"
    path.write_text(f'mrid = "SUB"\nlimit_kw = {limit_kw}\n{members}', encoding="utf-8")
    return path


async def test_plan_and_send_and_a_cycle_of_run(tmp_path: Path) -> None:
    runner = CliRunner()
    async with AsyncExitStack() as stack:
        houses = [await stack.enter_async_context(running_house()) for _ in range(2)]
        for k, house in enumerate(houses):
            house.desk.task = noon_task(k)
        file = written(houses, tmp_path, 0.95 * most_kw(houses))

        async def ran(*arguments: str) -> tuple[int, str]:
            found = await asyncio.to_thread(runner.invoke, app, ["substation", *arguments])
            return found.exit_code, found.output

        code, said = await ran("plan", str(file), "--workers", "1", "--send")
        assert code == 0, said
        assert "SUB: limit kept; 2 feeders planned, 0 not" in said
        assert "asked for, 0 withdrawn" in said
        standing = [r for h in houses for r in await h.store.requests()]
        assert standing
        assert {r.state for r in standing} == {RequestState.RECEIVED}

        code, said = await ran("run", str(file), "--workers", "1", "--cycles", "1", "--json")
        assert code == 0, said
        turn = json.loads(said)
        assert turn["substation"]["kept"] is True
        assert set(turn["substation"]["feeders"]) == {"F0", "F1"}
        assert all(s["asked"] == s["withdrawn"] == 0 for s in turn["sent"])

        houses[1].desk.task = None
        code, said = await ran("plan", str(file), "--workers", "1")
        assert code == 1
        assert "has no part in it: 503" in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["substation", "plan", str(tmp_path / "none.toml")])
    assert found.exit_code == 3
    assert "none.toml" in found.output
