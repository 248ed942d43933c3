"""The mirror's page: what it tells, what it switches, and whom it does not listen to."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gridctl.model.errors import ConfigError
from sim.faults import FaultBoard
from sim.instructor import Instructor
from sim.page import REQUEST_MAX, Page, page_served
from tests.sim.lively import Lively

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Served:
    def __init__(self, page: Page, stage: Lively, port: int) -> None:
        self.page, self.stage, self.port = page, stage, port

    async def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = await asyncio.wait_for(reader.read(), 5.0)
        writer.close()
        await writer.wait_closed()
        top, _, content = answer.partition(b"\r\n\r\n")
        first, *rest = top.decode().split("\r\n")
        told = dict(line.split(": ", 1) for line in rest)
        return (int(first.split()[1]) if first else 0), told, content

    async def switch(self, token: str, **what: Any) -> tuple[int, dict[str, Any]]:
        body = json.dumps(what).encode()
        status, _, content = await self.ask("POST", "/fault", body, **{"X-Sim-Token": token})
        return status, json.loads(content)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    stage = Lively()
    board = FaultBoard(stage.world, {})
    instructor = Instructor(socket=Path("unused"), world=stage.world, faults=board)
    page = Page(stage.world, board, instructor, {"link DR": "DNP3 </script><b>"})
    async with page_served(page, 0) as address:
        assert address.startswith("http://127.0.0.1:")
        yield Served(page, stage, page.port)


async def test_the_document_draws_the_feeder_and_cannot_be_broken_out_of(served: Served) -> None:
    status, headers, body = await served.ask("GET", "/")
    text = body.decode()
    assert status == 200
    assert text.count("data-node=") == len(served.stage.world.feeder.nodes)
    assert 'data-branch="L67-68"' in text
    assert text.count("</script>") == 1, "data is no markup"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"


async def test_a_fault_goes_on_and_off_and_the_state_shows_it(served: Served) -> None:
    token = served.page._token
    status, said = await served.switch(token, name="line-out", on=True, target="L67-68")
    assert status == 200
    assert [(f["name"], f["target"]) for f in said["faults"]] == [("line-out", "L67-68")]
    served.stage.run(1)
    _, _, body = await served.ask("GET", "/state")
    state = json.loads(body)
    assert state["open"] == ["L67-68"]
    assert state["unserved_kw"] > 10.0
    assert state["voltages"]["68"] == [0.0]
    assert state["limit_kw"] == 1_560.0
    status, said = await served.switch(token, name="line-out", on=False, target="L67-68")
    assert (status, said["faults"]) == (200, [])
    status, said = await served.switch(token, name="line-out", on=True, target="L1")
    assert status == 409
    assert "needs a line or a switch" in said["reasons"][0]


async def test_whom_it_does_not_listen_to(served: Served) -> None:
    assert (await served.switch("guess", name="local", on=True, target="LG01"))[0] == 403
    status, _, _ = await served.ask("GET", "/state", Host="evil.example")
    assert status == 421
    assert (await served.ask("GET", "/etc/passwd"))[0] == 404
    token = served.page._token
    for body in (b"no json", b"[]", b'{"name": 3, "on": true}'):
        answer = await served.ask("POST", "/fault", body, **{"X-Sim-Token": token})
        assert answer[0] == 400, body
    too_long = {"Content-Length": str(REQUEST_MAX + 1)}
    huge = await served.ask("POST", "/fault", b"", **too_long)
    assert huge[0] == 0, "hung up"
    assert (await served.ask("GET", "/" + "x" * (2 * REQUEST_MAX)))[0] == 0
    assert served.page.state()["faults"] == []


async def test_a_taken_port_is_refused(served: Served) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="or 0 for no page"):
            async with page_served(served.page, taken.getsockname()[1]):
                pass
