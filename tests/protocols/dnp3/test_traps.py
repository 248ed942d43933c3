"""Each trap of yadnp3 that was measured (dnp3.md §1, G1 to G14) has a test that it cannot bite.

What ends a process is shown in a process of its own.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sim.outstation
from gridctl.model.clock import ManualClock
from gridctl.model.command import Command, CommandState
from gridctl.model.errors import UnavailableError  # noqa: F401 - used in the child of G5
from gridctl.model.permit import Permit, mint
from gridctl.wallclock import system_clock
from protocols.dnp3 import session, stack
from protocols.dnp3.callbacks import Application, Listener, Quiet, Readings
from protocols.dnp3.fragments import Fragment, Function
from protocols.driver import Execution, Result
from tests.protocols.dnp3.scripted import (
    Answer,
    Bench,
    Outstation,
    analogs,
    answer,
    bench_of,
    classes,
    row,
    setpoint,
)

ROWS = [row(0), setpoint(4)]


def steady(request: Fragment) -> Answer:
    """Reads are answered, commands echoed."""
    if request.function in (Function.SELECT, Function.OPERATE):
        return answer(request, request.objects)
    return answer(request, analogs(1.5) if 0 in classes(request) else b"")


def permit(value: float = 33.25, life_s: float = 10.0) -> Permit:
    command = Command(
        mrid="C",
        plan="P",
        resource="R",
        point="SP.4",
        value=value,
        expect_point="P30.0",
        tolerance=1.0,
        lease_until_s=time.time() + 600.0,
        default_value=0.0,
        effect_kw=0.0,
        batch=0,
    )
    return mint(command=command, order="O", expires_mono_s=system_clock().monotonic_s() + life_s)


async def execute(
    bench: Bench, *, aborted: Callable[[], bool] = lambda: False, value: float = 33.25
) -> Execution:
    return await bench.driver.execute(permit(value), aborted=aborted, stage=lambda _: None)


def told(outstation: Outstation, function: Function) -> int:
    return sum(request.function == function for request in outstation.asked)


def run(code: str, *, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """`code` around a driver in front of an outstation, in a process of its own."""
    head = """
        import asyncio, sys
        from tests.protocols.dnp3.test_traps import *
        """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_g01_an_error_in_a_function_callback_does_not_end_the_process() -> None:
    """Commands give the stack no callback at all; the writing of deadbands does."""
    done = run(
        """
        import protocols.dnp3.session as session
        class Broken:
            def __getattr__(self, _): raise ValueError("broken on purpose")
        async def main():
            rows = [row(0, deadband=1.0), *ROWS[1:]]
            outstation = Outstation(script=steady)
            async with bench_of(outstation, rows, write_deadbands=True) as bench:
                session.log = Broken()
                await bench.up()
                while not told(outstation, Function.WRITE):
                    await bench.pump(0.05)
                await bench.pump(0.5)
                print("alive")
                sys.stdout.flush()
                import os; os._exit(0)
        asyncio.run(main())
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["alive"]
    assert "broken on purpose" in done.stderr


def test_g02_overridden_methods_are_total_and_a_broken_clock_never_says_1970() -> None:
    class Away(ManualClock):
        def now_s(self) -> float:
            raise OSError("the clock is away")

    clock = ManualClock(grid_s=1_800_000_000.0)
    application = Application(clock)
    application._clock = Away()
    assert application.Now().msSinceEpoch == 1_800_000_000_000
    for kind in (Application, Readings, Listener, Quiet):
        for name, method in vars(kind).items():
            if name[0].isupper() and name != "Now":
                assert hasattr(method, "__wrapped__"), f"{kind.__name__}.{name} can raise"
    # That the confirm is held back when values are not taken: test_line.py.


def test_g03_the_interpreter_ends_although_nobody_stopped_the_driver() -> None:
    done = run(
        """
        async def main():
            outstation = Outstation(script=steady)
            await outstation.start()
            inbox = Inbox(10)
            driver = Dnp3Driver(settings(outstation.port), ROWS, inbox, system_clock())
            await driver.start()
            await Bench(driver, outstation, inbox).up()
            print("up", flush=True)
            raise SystemExit(0)
        from tests.protocols.dnp3.scripted import Dnp3Driver, Inbox, settings
        asyncio.run(main())
        """,
        seconds=30.0,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["up"]), done.stderr


async def test_g04_no_life_cycle_call_is_made_from_a_callback_or_on_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []
    genuine = stack.off_loop

    async def watched(call: Callable[[], Any], *, deadline_s: float) -> Any:
        def noted() -> Any:
            threads.append(threading.current_thread().name)
            return call()

        return await genuine(noted, deadline_s=deadline_s)

    monkeypatch.setattr(session, "off_loop", watched)
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        # A command that ends unknown makes the callback's own result condemn its session.
        outstation.script = lambda r: None if r.function == Function.OPERATE else steady(r)
        assert (await execute(bench)).result is Result.UNKNOWN
        outstation.script = steady
        assert await bench.until(lambda: outstation.links == 2)
        await bench.up()
    assert threads == ["dnp3-lifecycle"] * 4  # opened twice, shut down twice


def test_g05_after_the_stack_s_end_there_is_an_error_and_no_crash() -> None:
    done = run(
        """
        from protocols.dnp3 import stack
        stack.manager()
        stack._manager._close()
        try:
            stack.manager()
        except UnavailableError as error:
            print("refused")
        """
    )
    assert (done.returncode, done.stdout.split()) == (0, ["refused"]), done.stderr


async def test_g06_a_peer_that_accepts_and_closes_is_not_hammered() -> None:
    connects = 0

    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connects
        connects += 1
        writer.close()

    outstation = Outstation()
    server = await asyncio.start_server(slam, "127.0.0.1", outstation.port)
    outstation.start = _nothing  # type: ignore[method-assign]
    async with bench_of(outstation, ROWS) as bench:
        await bench.pump(3.0)
        assert 1 <= connects <= 6, connects
        assert bench.driver.health().state != "up"
    server.close()


async def _nothing() -> None:
    return


async def test_a_hundred_reads_parked_while_the_peer_accepts_and_closes() -> None:
    """Who waits is told in time, nothing of it is sent to the device when it is back, and the way
    back is as long as without them."""
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        outstation.script = lambda _: None
        parked = [
            asyncio.create_task(bench.driver.read_back("P30.0", timeout_s=30.0)) for _ in range(100)
        ]
        await bench.pump(0.1)
        outstation.slams = True
        outstation.cut()
        await bench.pump(2.0)
        assert all(one.done() for one in parked)
        assert {one.result() for one in parked} == {None}
        assert bench.driver.health().state != "up"
        outstation.slams, outstation.script = False, steady
        asked = len(outstation.asked)
        await bench.up()
        assert await bench.until(lambda: bench.latest["P30.0"].quality.is_good)
        assert len(outstation.asked) - asked < 20


@pytest.mark.parametrize(
    "lie",
    [
        lambda o: o[:-1] + b"\x07",  # refused, though the summary says SUCCESS
        lambda o: o[:-2] + bytes((o[-2] ^ 1, 0)),  # another value
        lambda o: b"",  # nothing
        lambda o: o + o,  # twice
    ],
)
async def test_g07_the_summary_is_not_believed(lie: Callable[[bytes], bytes]) -> None:
    def lying(request: Fragment) -> Answer:
        if request.function == Function.OPERATE:
            return answer(request, lie(request.objects))
        return steady(request)

    async with bench_of(Outstation(script=lying), ROWS) as bench:
        await bench.up()
        assert (await execute(bench)).result in (Result.REJECTED, Result.UNKNOWN)


async def test_g07_a_clean_echo_with_an_error_in_the_iin_is_not_believed() -> None:
    def lying(request: Fragment) -> Answer:
        iin = 0x0400 if request.function == Function.OPERATE else 0
        return [one._replace(iin=iin) for one in steady(request) or ()]

    async with bench_of(Outstation(script=lying), ROWS) as bench:
        await bench.up()
        execution = await execute(bench)
        assert (execution.result, execution.status) == (Result.UNKNOWN, "IIN_ERROR")


@pytest.mark.parametrize("frozen_at", [Function.SELECT, Function.OPERATE, Function.READ])
async def test_g08_a_frozen_outstation_executes_nothing_later(frozen_at: Function) -> None:
    """It holds everything from `frozen_at` on, and answers it all when it thaws."""
    held: list[Fragment] = []
    frozen = True

    def freezing(request: Fragment) -> Answer:
        if frozen and (held or request.function == frozen_at) and armed:
            held.append(request)
            return None
        return steady(request)

    armed = False
    outstation = Outstation(script=freezing)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        armed = True
        if frozen_at is Function.READ:
            assert await bench.until(lambda: bool(held))
        results = [(await execute(bench, value=float(v))).result for v in range(1, 6)]
        assert Result.ACCEPTED not in results
        frozen = False
        for request in held:  # the answers come after all, late
            if outstation._writers:
                outstation.send(*(steady(request) or ()))
        await bench.until(lambda: False, 3.0)
        # Of five commands at most the one that was on the wire when it froze had its OPERATE out,
        # and nothing at all left later.
        assert told(outstation, Function.OPERATE) == (frozen_at is Function.OPERATE)
        assert told(outstation, Function.DIRECT_OPERATE) == 0
        await bench.up()
        before = told(outstation, Function.OPERATE)
        assert (await execute(bench)).result is Result.ACCEPTED
        assert told(outstation, Function.OPERATE) == before + 1


async def test_g08_nothing_waits_behind_a_keep_alive() -> None:
    outstation = Outstation(script=steady, answers_keep_alive=False)
    async with bench_of(outstation, ROWS, integrity_s=600.0, keep_alive_s=1.0) as bench:
        await bench.up()
        assert await bench.until(lambda: outstation.keep_alives > 0)
        execution = await execute(bench)
        assert execution.result in (Result.ACCEPTED, Result.REJECTED), execution
        operated = told(outstation, Function.OPERATE)
        assert operated == (execution.result is Result.ACCEPTED)
        await bench.pump(2.0)
        assert told(outstation, Function.OPERATE) == operated


def test_g09_the_native_tls_is_not_used_at_all() -> None:
    """Names are pinned by Python's ssl (test_tls.py)."""
    folder = Path(session.__file__).parent
    sources = [file.read_text(encoding="utf-8") for file in folder.glob("*.py")]
    assert len(sources) > 10
    assert not any("AddTLSClient" in source or "TLSConfig" in source for source in sources)


async def test_g10_unsolicited_and_start_up_are_ours_to_choose() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, unsolicited="none") as bench:
        await bench.up()
        await bench.pump(0.5)
        assert told(outstation, Function.ENABLE_UNSOLICITED) == 0
    # Ignored FC 21, single classes: test_features.py.


async def test_g11_a_read_can_be_awaited_and_says_when_it_did_not_come() -> None:
    def deaf(request: Fragment) -> Answer:
        if request.function == Function.READ and request.objects[0] == 30:
            return answer(request, analogs(7.5)) if answering else None
        return steady(request)

    answering = True
    async with bench_of(Outstation(script=deaf), ROWS, integrity_s=600.0) as bench:
        await bench.up()
        await bench.pump(0.3)
        read = await bench.driver.read_back("P30.0", timeout_s=2.0)
        assert read is not None
        assert read.value == 7.5
        answering = False
        assert await bench.driver.read_back("P30.0", timeout_s=0.3) is None


async def test_g12_link_state_and_statistics_come_from_the_line() -> None:
    async with bench_of(Outstation(script=steady), ROWS) as bench:
        await bench.up()
        told = bench.driver.health
        assert await bench.until(lambda: told().bytes_in > 100 < told().bytes_out)
        health = told()
        assert health.frames_in >= 3 <= health.frames_out
        assert health.round_trip_p99_s is not None
        assert 0.0 < health.round_trip_p99_s < 1.5
        assert health.diagnostics["iin"] == "none"


def test_g13_the_simulator_is_not_yadnp3_s_outstation() -> None:
    assert not any(
        getattr(value, "__module__", "").startswith("opendnp3")
        for value in vars(sim.outstation).values()
    )


async def test_g14_a_command_that_holds_the_gil_does_not_hold_up_the_loop() -> None:
    async with bench_of(Outstation(script=steady), ROWS) as bench:
        await bench.up()
        loop = asyncio.get_running_loop()
        lags: list[float] = []

        async def lag() -> None:
            while True:
                before = loop.time()
                await asyncio.sleep(0.005)
                lags.append(loop.time() - before - 0.005)

        watch = asyncio.create_task(lag())
        results = [(await execute(bench)).result for _ in range(100)]
        watch.cancel()
        assert set(results) == {Result.ACCEPTED}
        assert sorted(lags)[len(lags) // 2] < 0.05


async def test_stop_between_select_and_operate_lets_no_operate_out() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        stopped = False
        stages: list[CommandState] = []

        def stage(state: CommandState) -> None:
            nonlocal stopped
            stages.append(state)
            stopped = True  # the STOP comes while the SELECT is on the wire

        execution = await bench.driver.execute(permit(), aborted=lambda: stopped, stage=stage)
        assert execution.result is Result.ABORTED, execution
        assert stages == [CommandState.SELECTED]
        assert told(outstation, Function.SELECT) == 1
        await bench.pump(0.5)
        assert told(outstation, Function.OPERATE) == 0
        # The link is as healthy as before: the next command goes through.
        assert outstation.links == 1
        assert (await execute(bench)).result is Result.ACCEPTED


async def test_the_exchange_of_a_command_is_kept_as_evidence() -> None:
    async with bench_of(Outstation(script=steady), ROWS) as bench:
        await bench.up()
        execution = await execute(bench)
        assert execution.result is Result.ACCEPTED
        select, echo, operate, done = execution.evidence
        assert "→ device SELECT seq" in select
        assert "g41v3 4=33.25 (0x00)" in select
        assert "← device RESPONSE" in echo
        assert "→ device OPERATE" in operate
        assert "← device RESPONSE" in done
        assert select.split("| ")[-1][4:] == operate.split("| ")[-1][4:]  # the same octets
        assert all(len(line) < 400 for line in execution.evidence)
