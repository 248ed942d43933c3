"""The driver contract on the third driver, that of docs/howto/write-a-new-driver.md.

The same functions that run on DNP3 and OPC UA, all at once: each has a device, a port and a driver
of its own, so the whole takes as long as the longest of them.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.examples.line_json.driver import LineJsonDriver, read_options
from gridctl.model.errors import ConfigError
from protocols.driver import LinkSettings
from tests.contracts import test_driver_contract as contract
from tests.contracts.peer_line_json import LineJsonPeer

Case = Callable[..., Awaitable[None]]
TOGETHER = 8
"""So many at a time: deadlines of a contract are real seconds."""


def cases() -> Iterator[tuple[str, Case, dict[str, Any]]]:
    """Every test of the contract, once for each of its parameters."""
    for name, case in vars(contract).items():
        if not name.startswith("test_") or not inspect.iscoroutinefunction(case):
            continue
        marks = [m for m in getattr(case, "pytestmark", []) if m.name == "parametrize"]
        if not marks:
            yield name, case, {}
        for mark in marks:
            argument, values = mark.args
            for value in values:
                yield f"{name}[{value}]", case, {argument: value}


async def test_the_contract_holds_for_the_example(tmp_path: Path) -> None:
    gate = asyncio.Semaphore(TOGETHER)

    async def run(name: str, case: Case, given: dict[str, Any]) -> str | None:
        folder = tmp_path / name.replace("[", "-").rstrip("]")
        folder.mkdir()
        wanted = inspect.signature(case).parameters
        arguments = given | {"factory": LineJsonPeer, "tmp_path": folder}
        async with gate:
            try:
                if "rig" not in wanted:
                    await case(**{k: v for k, v in arguments.items() if k in wanted})
                    return None
                async with contract.rig_of(LineJsonPeer, folder / "bench") as rig:
                    await rig.connected()
                    arguments["rig"] = rig
                    await case(**{k: v for k, v in arguments.items() if k in wanted})
            except AssertionError as error:
                return f"{name}: {error}"
        return None

    listed = list(cases())
    assert len(listed) > 20, "the contract has lost its tests"
    failed = await asyncio.gather(*(run(*one) for one in listed))
    assert [text for text in failed if text is not None] == []


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"port": 1, "timeout_s": 1}, "host"),
        ({"host": "h", "port": 0, "timeout_s": 1}, "port"),
        ({"host": "h", "port": 1, "timeout_s": 99}, "timeout_s"),
        ({"host": "h", "port": 1, "timeout_s": 1, "baud": 9600}, "baud"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], key: str) -> None:
    settings = LinkSettings(id="L", protocol="line-json", file="x.toml", options=options)
    with pytest.raises(ConfigError) as raised:
        read_options(settings)
    assert raised.value.key == f"field.links.{key}"


def test_the_page_shows_the_driver() -> None:
    """Names that the page speaks of are there."""
    page = (Path(__file__).parents[2] / "docs/howto/write-a-new-driver.md").read_text("utf-8")
    for name in ("_supervise", "_poll", "_measured", "_lose", "execute", "read_back", "health"):
        assert hasattr(LineJsonDriver, name)
        assert f"`{name}`" in page, name
