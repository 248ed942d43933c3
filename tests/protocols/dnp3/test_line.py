"""The line between stack and device: what passes, what does not, and what the wire looks like."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from gridctl.model.errors import UnavailableError
from gridctl.model.measurement import Flag, TimeQuality
from protocols.dnp3.capture import Capture
from protocols.dnp3.fragments import CON, FIN, FIR, Fragment, Function, Iin
from protocols.dnp3.image import PointImage
from protocols.dnp3.line import Line
from protocols.dnp3.ownership import _asked_inode, _listed_inode, is_our_own
from protocols.dnp3.trace import lines
from tests.peers.dnp3.judge import FAULTS
from tests.protocols.dnp3.hostile.test_conversation import Campaign
from tests.protocols.dnp3.scripted import (
    Answer,
    Outstation,
    analogs,
    answer,
    bench_of,
    classes,
    row,
)

ROWS = [row(0), row(1)]


def steady(request: Fragment) -> Answer:
    return answer(request, analogs(1.5, 2.5) if request.function == Function.READ else b"")


async def test_start_up_takes_its_order_and_values_arrive() -> None:
    restarted = True

    def fresh(request: Fragment) -> Answer:
        nonlocal restarted
        if request.function == Function.WRITE and request.objects[0] == 80:
            restarted = False
        iin = Iin.DEVICE_RESTART if restarted else 0
        return answer(request, analogs(1.5, 2.5) if classes(request) >= {0} else b"", iin=iin)

    outstation = Outstation(script=fresh)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        assert await bench.until(lambda: len(bench.latest) == 2)
        assert await bench.until(lambda: "ENABLE_UNSOLICITED" in outstation.functions())
        assert outstation.functions()[:3] == ["DISABLE_UNSOLICITED", "WRITE", "READ"]
        health = bench.driver.health()
        assert health.diagnostics["decoder"] == "own, equal to the stack's"
        assert health.round_trip_p50_s is not None
        assert health.bytes_in > 0 < health.frames_out


async def test_a_series_of_fragments_is_confirmed_one_by_one() -> None:
    def series(request: Fragment) -> Answer:
        if request.function != Function.READ:
            return answer(request)
        first = Fragment(FIR | CON | request.sequence, Function.RESPONSE, 0, analogs(1.0))
        pending.append(
            Fragment(
                FIN | CON | (request.sequence + 1) & 15, Function.RESPONSE, 0, analogs(2.0, start=1)
            )
        )
        return [first]

    pending: list[Fragment] = []
    outstation = Outstation(script=series)
    async with bench_of(outstation, ROWS) as bench:
        for _ in range(6):
            assert await bench.until(lambda: bool(outstation.confirms and pending))
            confirmed, last = outstation.confirms.pop(0), pending.pop(0)
            assert (confirmed.sequence + 1) & 15 == last.sequence
            outstation.send(last)
            assert await bench.until(lambda: bool(outstation.confirms))
            assert outstation.confirms.pop(0).sequence == last.sequence
        await bench.up()
        assert await bench.until(lambda: len(bench.latest) == 2)
        assert outstation.links == 1


async def test_what_the_handler_did_not_take_is_not_confirmed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """G2: opendnp3 confirms events to the device although their handler raised."""
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS) as bench:
        await bench.up()
        outstation.send(outstation.unsolicited(1, analogs(7.0)))
        assert await bench.until(lambda: any(c.unsolicited for c in outstation.confirms))
        outstation.confirms.clear()

        def broken(*_: object) -> bool:
            raise OSError("disk full")

        with monkeypatch.context() as patched:
            patched.setattr(PointImage, "take", broken)
            outstation.send(outstation.unsolicited(2, analogs(8.0)))
            await bench.pump(0.3)
            assert outstation.confirms == []
        assert bench.driver.health().diagnostics["withheld confirms"] != "0"
        # The device tells it again, as it must, and now it counts.
        outstation.send(outstation.unsolicited(2, analogs(8.0)))
        assert await bench.until(lambda: any(c.sequence == 2 for c in outstation.confirms))
        assert await bench.until(lambda: any(m.value == 8.0 for m in bench.seen))
    assert "disk full" in caplog.text


async def test_a_repeated_unsolicited_response_is_confirmed_again_and_taken_once() -> None:
    outstation = Outstation(
        script=lambda r: answer(r, analogs(1.5, 2.5) if r.function == 1 else b"")
    )
    async with bench_of(outstation, ROWS, integrity_s=60.0) as bench:
        await bench.up()
        await bench.pump(0.2)
        reads = bench.driver.health().reads
        told = outstation.unsolicited(3, analogs(9.0))
        outstation.send(told)
        assert await bench.until(lambda: len(outstation.confirms) == 1)
        outstation.send(told)
        assert await bench.until(lambda: len(outstation.confirms) == 2)
        assert bench.driver.health().reads == reads + 1
        assert bench.driver.health().diagnostics["repeated"] == "1"


async def test_foreign_late_and_unasked_answers_are_dropped_and_counted() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, integrity_s=60.0) as bench:
        await bench.up()
        await bench.pump(0.2)
        stale = Fragment(FIR | FIN | 9, Function.RESPONSE, 0, analogs(666.0))
        outstation.send(stale, stale)
        foreign = Outstation()
        foreign._segmenter._source = 77
        outstation.send_octets(foreign._segmenter.frames(stale.octets()))
        outstation.send(Fragment(FIR | FIN, Function.READ, 0, b""))
        assert await bench.until(
            lambda: (
                bench.driver.health().diagnostics.get("foreign frames") == "1"
                and bench.driver.health().diagnostics.get("unasked answers") == "2"
            )
        )
        assert bench.driver.health().protocol_errors == 4
        assert all(m.value != 666.0 for m in bench.seen)
        assert outstation.links == 1


async def test_an_unknown_object_costs_itself_and_what_stands_behind_it() -> None:
    known, unknown = analogs(1.5), bytes((99, 1, 0, 0, 0)) + b"\x00"

    def mixed(request: Fragment) -> Answer:
        objects = known + unknown + analogs(2.5, start=1)
        return answer(request, objects if request.function == Function.READ else b"")

    async with bench_of(Outstation(script=mixed), ROWS) as bench:
        await bench.up()
        assert await bench.until(lambda: bench.latest["P30.0"].quality.is_good)
        assert not bench.latest.get("P30.1") or not bench.latest["P30.1"].quality.is_good
        told = bench.driver.health().diagnostics
        assert any(key.startswith("unreadable: g99v1") for key in told), told


async def test_need_time_makes_the_device_s_own_times_doubtful() -> None:
    stamp = struct.pack("<HBfIH", 0, 1, 5.0, 1_000_000, 100)
    event = bytes((32, 7, 0x28, 1, 0)) + stamp
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, integrity_s=60.0) as bench:
        await bench.up()
        await bench.pump(0.3)
        for sequence, iin, quality in (
            (1, 0, TimeQuality.SYNCHRONIZED),
            (2, Iin.NEED_TIME, TimeQuality.UNSYNCHRONIZED),
        ):
            outstation.send(outstation.unsolicited(sequence, event, iin=iin))
            assert await bench.until(
                lambda: any(m.time_quality is quality for m in bench.seen)  # noqa: B023
            )


async def test_a_flood_ends_the_connection_and_others_go_on() -> None:
    noisy, calm = Outstation(script=steady), Outstation(script=steady)
    async with bench_of(calm, ROWS) as quiet, bench_of(noisy, ROWS) as bench:
        await bench.up()
        await quiet.up()
        for _ in range(400):
            noisy.send_octets(b"\x05\x64" * 100)
        assert await bench.until(lambda: "protocol errors" in bench.driver.health().last_error)
        assert quiet.driver.health().state == "up"
        await bench.up()  # it comes back by itself


async def test_an_endless_series_is_given_up() -> None:
    def endless(request: Fragment) -> Answer:
        if request.function != Function.READ:
            return answer(request)
        return [
            Fragment(
                (FIR if n == 0 else 0) | (request.sequence + n) & 15,
                Function.RESPONSE,
                0,
                analogs(1.0),
            )
            for n in range(100)
        ]

    async with bench_of(Outstation(script=endless), ROWS) as bench:
        assert await bench.until(lambda: "64 fragments" in bench.driver.health().last_error)


class Waiting(Outstation):
    """An RTU with Nagle on that writes in pieces: a piece waits for the last one's acknowledgement,
    which the kernel delays by 40 ms unless it is told not to."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = writer.get_extra_info("socket")
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        whole = writer.write

        def pieces(octets: bytes) -> None:
            for at in range(0, len(octets), 8):
                whole(octets[at : at + 8])

        writer.write = pieces  # type: ignore[method-assign,assignment]
        await super()._serve(reader, writer)


async def test_a_device_with_nagle_on_does_not_cost_a_poll_its_time() -> None:
    async with bench_of(Waiting(script=steady), ROWS, integrity_s=600.0) as bench:
        await bench.up()
        loop = asyncio.get_running_loop()
        took_s = []
        for _ in range(40):
            began_s = loop.time()
            assert await bench.driver.read_back("P30.0", timeout_s=3.0) is not None
            took_s.append(loop.time() - began_s)
        # Without it not one of them is faster; the first ones the kernel acknowledges at once.
        assert min(took_s[20:]) < 0.03


async def test_a_keep_alive_that_is_not_answered_closes_the_connection() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, integrity_s=600.0, keep_alive_s=1.0) as bench:
        await bench.up()
        assert await bench.until(lambda: outstation.keep_alives >= 2)
        assert outstation.links == 1
        outstation.answers_keep_alive = False
        assert await bench.until(lambda: outstation.links == 2)
        assert "no answer" in bench.driver.health().last_error


async def test_by_exception_points_stay_alive_by_proof_of_life_and_die_with_the_device() -> None:
    outstation = Outstation(script=steady)
    async with bench_of(outstation, ROWS, integrity_s=600.0, class_1_s=0.1, class_2_s=0.1) as bench:
        await bench.up()
        reads = sum(0 in classes(r) for r in outstation.asked if r.function == Function.READ)
        outstation.script = answer
        bench.seen.clear()
        await bench.pump(1.2)
        assert sum(m.point == "P30.0" and m.value == 1.5 for m in bench.seen) >= 2
        assert all(m.quality.is_good for m in bench.seen)
        outstation.script = lambda request: None
        assert await bench.until(lambda: Flag.COMM_LOST in bench.latest["P30.0"].quality.flags)
        assert reads <= 3


def descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("turns", range(8))
async def test_the_inner_port_closes_whenever_it_is_let_go(turns: int) -> None:
    """A cancelled opening left it open for good: found as an unclosed socket on Python 3.13."""
    lost: list[str] = []
    session = Campaign(1, lean=True)
    before = descriptors()
    line = Line(session.conversation, Capture(lambda: 0.0), lost.append)
    opening = asyncio.create_task(line.listen())
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait({opening})
    line.drop("stopped")
    await asyncio.sleep(0.01)
    assert descriptors() == before
    assert lost == ["stopped"]
    # And a line whose device has gone meanwhile opens none.
    with pytest.raises(UnavailableError):
        await line.listen()
    assert descriptors() == before


@pytest.mark.parametrize("turns", range(6))
async def test_a_visitor_of_a_port_that_closes_is_closed_too(turns: int) -> None:
    """asyncio's own server leaves a socket open that it has accepted when it is closed."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)
        line = Line(Campaign(1, lean=True).conversation, Capture(lambda: 0.0), lambda _: None)
        with socket.create_connection(await line.listen()):
            for _ in range(turns):
                await asyncio.sleep(0)
            line.drop("stopped")
            await asyncio.sleep(0.01)
        del line
        gc.collect()
    assert not [str(one.message) for one in found]


def test_the_inner_port_takes_nobody_but_our_own_stack() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as own:
            assert is_our_own(own.getsockname(), address)
            inode = _asked_inode(own.getsockname(), address)
            assert inode is not None
            assert inode == _listed_inode(own.getsockname(), address)
        code = (
            f"import socket, time; s = socket.create_connection({address!r}); "
            "print(s.getsockname()[1], flush=True); time.sleep(20)"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            assert not is_our_own(("127.0.0.1", port), address)
            child.kill()


async def test_a_capture_opens_in_tshark_and_reads_as_text(tmp_path: Path) -> None:
    async with bench_of(Outstation(script=steady), ROWS) as bench:
        bench.driver.capture.start()
        await bench.up()
        await bench.pump(0.7)
        bench.driver.capture.stop()
        pieces = bench.driver.capture.pieces()
    text = "\n".join(lines(pieces))
    assert "→ device READ" in text
    assert "class 1; class 2; class 3; class 0" in text
    assert "← device RESPONSE" in text
    assert "g30v5 0=1.5 (0x01), 1=2.5 (0x01)" in text
    file = tmp_path / "link.pcap"
    file.write_bytes(bench.driver.capture.pcap())
    for wanted, there in (("dnp3", True), (FAULTS, False)):
        shown = await asyncio.to_thread(
            subprocess.run,
            ["tshark", "-r", str(file), "-Y", wanted],
            capture_output=True,
            text=True,
            check=True,
        )
        assert bool(shown.stdout.strip()) is there, shown.stdout
