"""What passed an OPC UA session, in words for a person, and never a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary

from protocols.opcua.codec import node_id
from protocols.opcua.trace import OCTETS_SHOWN_MAX, WireLog, answer_words, request_words
from tests.contracts import driver_peer as bench
from tests.contracts.peer_opcua import OpcUaPeer, OpcUaWritePeer
from tests.contracts.test_driver_contract import rig_of

AT_S = 1_764_230_400.25


def write_request(value: ua.Variant) -> Any:
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = [
        ua.WriteValue(
            NodeId=node_id("WMax", 2),
            AttributeId=ua.IntegerId(AttributeIds.Value),
            Value=ua.DataValue(value),
        )
    ]
    return request


def test_requests_and_answers_in_words() -> None:
    write = write_request(ua.Variant(33.25, ua.VariantType.Double))
    assert request_words(write) == "Write ns=2;s=WMax = Double 33.25"
    answer = ua.WriteResponse()
    answer.Results = [ua.StatusCode(ua.UInt32(0x803B0000))]
    assert answer_words(write, struct_to_binary(answer)) == "Write: BadNotWritable"
    call = ua.CallRequest()
    call.Parameters.MethodsToCall = [
        ua.CallMethodRequest(
            ObjectId=node_id("T1", 2),
            MethodId=node_id("SetWMax", 2),
            InputArguments=[
                ua.Variant(1.5, ua.VariantType.Double),
                ua.Variant("C-1", ua.VariantType.String),
                ua.Variant(datetime(2026, 7, 1, tzinfo=UTC), ua.VariantType.DateTime),
            ],
        )
    ]
    assert request_words(call) == (
        "Call ns=2;s=SetWMax of ns=2;s=T1(Double 1.5, String 'C-1', "
        "DateTime 2026-07-01T00:00:00.000+00:00)"
    )
    many = ua.ReadRequest()
    many.Parameters.NodesToRead = [
        ua.ReadValueId(NodeId=node_id(f"V{n}", 2), AttributeId=ua.IntegerId(AttributeIds.Value))
        for n in range(40)
    ]
    assert request_words(many).endswith("ns=2;s=V7 … and 32 more")


def test_a_log_is_bounded_on_either_side_and_cuts_octets() -> None:
    write = write_request(ua.Variant("x" * 4_000, ua.VariantType.String))
    newest = WireLog(lambda: AT_S, lines_max=3)
    oldest = WireLog(lambda: AT_S, lines_max=3, keep_first=True, octets=True)
    for log in (newest, oldest):
        for n in range(5):
            log.note(f"note {n}")
    assert newest.lines() == tuple(f"2025-11-27T08:00:00.250+00:00 note {n}" for n in (2, 3, 4))
    assert oldest.lines()[-1] == "… 2 more messages were not kept"
    assert len(oldest.lines()) == 4
    one = WireLog(lambda: AT_S, octets=True)
    one.sent(write)
    (line,) = one.lines()
    assert len(line) < 2 * OCTETS_SHOWN_MAX + 250
    assert "… " in line
    one.stop()
    one.note("later")
    assert len(one.lines()) == 1


@pytest.mark.parametrize("octets", [b"", b"\x01\x00\xa3\x02", b"\xff" * 40])
def test_an_answer_of_rubbish_is_kept_as_such(
    octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    log = WireLog(lambda: AT_S)
    log.heard(write_request(ua.Variant(1.0, ua.VariantType.Double)), octets)
    (line,) = log.lines()
    assert "← device Write: unreadable" in line


async def test_a_session_reads_as_a_conversation(tmp_path: Path) -> None:
    async with rig_of(OpcUaPeer, tmp_path / "bench") as rig:
        await rig.connected()
        driver: Any = rig.driver
        driver.trace.start()
        await rig.execute(rig.permit(bench.SETPOINT, 33.25))
        rig.plant.set(bench.POWER, 901.25)
        await rig.peer.publish()
        await rig.pump(1.0)
        await rig.peer.kill()
        await rig.until(rig.all_lost, 5.0)
        told = "\n".join(driver.trace.lines())
    for words in (
        "→ device Read ns=2;s=BENCH.WMax",
        "→ device Call ns=2;",
        "Double 33.25, String 'BENCH.WMax=33.25', DateTime ",
        "← device Call: Good",
        "→ device Publish",
        "901.25 Good at ",
        "connection ends: ",
    ):
        assert words in told, f"{words!r} is not in:\n{told}"


async def test_evidence_has_the_commands_own_messages_and_no_token(tmp_path: Path) -> None:
    async with rig_of(OpcUaWritePeer, tmp_path / "bench") as rig:
        await rig.connected()
        done = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
        driver: Any = rig.driver
        session = driver._session.connection._client.uaclient.session
        token = nodeid_to_binary(session.authentication_token).hex()
    words = [line.split(" device ", 1)[1].split(" | ")[0] for line in done.evidence]
    assert words[0] == "Read ns=2;s=BENCH.WMax"
    assert words[2].startswith("Write ns=2;s=BENCH.WMax.Lease = Double ")
    assert words[4:6] == ["Write ns=2;s=BENCH.WMax = Double 33.25", "Write: Good"]
    assert not [w for w in words if w.startswith("Publish")], "what else the session does"
    octets = [line.split(" | ")[1] for line in done.evidence]
    assert all(int(text.split(" ")[0], 16) >= 0 for text in octets)
    sent = [o for line, o in zip(done.evidence, octets, strict=True) if "→" in line]
    assert not [o for o in sent if token in o], "the session's token is a secret"


async def test_a_refused_command_says_what_was_held_back(tmp_path: Path) -> None:
    async with rig_of(OpcUaWritePeer, tmp_path / "bench") as rig:
        await rig.connected()
        done = await rig.execute(rig.permit(bench.SETPOINT, 5.0), aborted=lambda: True)
    assert done.evidence[-1].endswith("held back: ABORTED: stopped before the command left")
    assert not [line for line in done.evidence if "= Double 5" in line]
