"""What a mirror says that it serves, and its page where its port is taken."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from sim.process import Simulator
from sim.served import page_of, what_is_served
from tests.sim.pilot import make_instance


async def test_the_page_takes_another_port_only_where_it_may(tmp_path: Path) -> None:
    instance = make_instance(tmp_path / "pilot")
    simulator = Simulator(instance)
    served = what_is_served(instance, simulator)
    assert "outstation 20, master 1" in served["link DR"]
    assert served["server certificate"].startswith(str(instance / "pki"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on port {port}"):
            async with page_of(simulator, served, port=port):
                pass
        async with page_of(simulator, served, port=port, or_any=True) as address:
            assert address.startswith("http://127.0.0.1:")
            assert address != f"http://127.0.0.1:{port}/"
        # As a child of a pilot, whose parent is told where it is.
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "gridctl.cli", "sim", "--child",
            "--instance", str(instance), "--page", str(port),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stdin is not None
        line = json.loads(await asyncio.wait_for(child.stdout.readline(), 60))
        assert line["ready"]
        assert line["page"].startswith("http://127.0.0.1:")
        child.stdin.close()
        assert await asyncio.wait_for(child.wait(), 20) == 0
