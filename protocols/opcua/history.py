"""What happened while the link was away, read from the server's own history (OPC 10000-11).

Only for points of which every change counts (sequence of events): the newest value of all others
comes with the new subscription. What is read carries its source time and goes to the events, never
to the newest-wins image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from protocols.opcua.codec import is_bad, status_name
from protocols.opcua.connection import Connection
from protocols.opcua.wire import GRACE_TICKS, HistoryPart, Sample, decode_history, ticks_of

VALUES_MAX: Final = 10_000
"""Values of one point in one gap; a longer story is cut, and said so."""
_PER_ANSWER: Final = 1_000
_NODES_MAX: Final = 50
_NEVER_TICKS: Final = 2**63
_NO_HISTORY: Final = frozenset(
    {
        "BadHistoryOperationUnsupported",
        "BadHistoryOperationInvalid",
        "BadServiceUnsupported",
        "BadNotReadable",
        "BadUserAccessDenied",
        "BadNodeIdUnknown",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What the server remembers. `samples`: oldest first, their handles are the points' indices.
    `notes`: points that it has no history of, or too much, with the reason."""

    samples: tuple[Sample, ...]
    notes: tuple[str, ...]


async def read_gap(
    connection: Connection,
    nodes: Mapping[int, ua.NodeId],
    *,
    since_s: Mapping[int, float],
    until_s: float,
    live_ticks: Mapping[int, int],
) -> Gap:
    """The values of each point from after `since_s` (its last known source time) to `until_s`, UTC
    seconds, and before `live_ticks`, where its subscription begins (source time; 0 or absent: not
    known). Raises what the connection raises; a point without history is a note."""
    samples: list[Sample] = []
    notes: list[str] = []
    size = min(_NODES_MAX, connection.limit("history"))
    indices = list(nodes)
    for start in range(0, len(indices), size):
        batch = indices[start : start + size]
        # One request has one start: the earliest, what is known already is left out below.
        first_s = min(since_s[index] for index in batch)
        found = await _read(connection, {i: nodes[i] for i in batch}, first_s, until_s, notes)
        samples += [
            one
            for one in found
            if one.source_ticks > ticks_of(since_s[one.handle]) + GRACE_TICKS
            and one.source_ticks < (live_ticks.get(one.handle) or _NEVER_TICKS)
        ]
    samples.sort(key=lambda one: one.source_ticks)
    return Gap(samples=tuple(samples), notes=tuple(notes))


async def _read(
    connection: Connection,
    nodes: Mapping[int, ua.NodeId],
    since_s: float,
    until_s: float,
    notes: list[str],
) -> list[Sample]:
    """Raw values of some nodes, continuation points followed until VALUES_MAX each."""
    open_: dict[int, bytes | None] = dict.fromkeys(nodes)
    counts = dict.fromkeys(nodes, 0)
    samples: list[Sample] = []
    while open_:
        try:
            results = await _request(connection, nodes, open_, since_s, until_s, release=False)
        except UaStatusCodeError as error:
            name = status_name(error.code)
            if name not in _NO_HISTORY:
                raise
            notes.append(f"the server keeps no history: {name}")
            return samples
        still: dict[int, bytes | None] = {}
        for index, result in zip(list(open_), results, strict=True):
            if is_bad(result.status):
                notes.append(f"{nodes[index].to_string()}: {status_name(result.status)}")
                continue
            samples += [one._replace(handle=index) for one in result.samples]
            counts[index] += len(result.samples)
            if result.more and counts[index] < VALUES_MAX:
                still[index] = result.more
            elif result.more:
                notes.append(f"{nodes[index].to_string()}: more than {VALUES_MAX} values, cut")
                await _request(
                    connection,
                    nodes,
                    {index: result.more},
                    since_s,
                    until_s,
                    release=True,
                )
        open_ = still
    return samples


async def _request(
    connection: Connection,
    nodes: Mapping[int, ua.NodeId],
    wanted: Mapping[int, bytes | None],
    since_s: float,
    until_s: float,
    *,
    release: bool,
) -> list[HistoryPart]:
    request = ua.HistoryReadRequest()
    request.Parameters = ua.HistoryReadParameters(
        HistoryReadDetails=ua.ReadRawModifiedDetails(
            IsReadModified=False,
            StartTime=_moment(since_s),
            EndTime=_moment(until_s),
            NumValuesPerNode=ua.Counter(_PER_ANSWER),
            ReturnBounds=False,
        ),
        TimestampsToReturn=ua.TimestampsToReturn.Both,
        ReleaseContinuationPoints=release,
        NodesToRead=[
            ua.HistoryReadValueId(
                NodeId=nodes[index],
                ContinuationPoint=None if point is None else ua.ByteString(point),
            )
            for index, point in wanted.items()
        ],
    )
    return decode_history(await connection.request(request))


def _moment(seconds: float) -> ua.DateTime:
    return ua.DateTime.fromtimestamp(seconds, tz=UTC)
