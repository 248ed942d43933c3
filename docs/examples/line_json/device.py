"""The imaginary device itself: a plant behind one JSON object a line. For the driver's tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from gridctl.model.clock import Clock
from sim.plant import Plant, PlantPoint, Verdict

SELECT_S = 2.0
"""Real seconds in which an OPERATE must follow its SELECT."""
STATUSES = {
    Verdict.ACCEPTED: "OK",
    Verdict.LOCAL: "LOCAL",
    Verdict.OUT_OF_RANGE: "OUT_OF_RANGE",
}


class LineJsonDevice:
    """Listens on a loopback port; each connection has its own select."""

    def __init__(
        self, points: Sequence[PlantPoint], plant: Plant, *, port: int, clock: Clock
    ) -> None:
        self._points = {point.address: point for point in points}
        self._outputs = {point.command: point for point in points if point.command}
        self._plant = plant
        self._port = port
        self._clock = clock
        self._held: dict[str, float] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def stop(self) -> None:
        """Break every connection and close the port."""
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        selected: dict[str, tuple[float, float, float]] = {}
        try:
            while raw := await reader.readline():
                question = json.loads(raw)
                answer = {"id": question["id"], **self._answer(question, selected)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(
        self, question: dict[str, Any], selected: dict[str, tuple[float, float, float]]
    ) -> dict[str, Any]:
        match question:
            case {"read": addresses}:
                return {"values": {address: self._read(address) for address in addresses}}
            case {"select": output, "value": value, "lease_s": lease_s} if output in self._outputs:
                verdict = self._plant.check(self._outputs[output].mrid, self._scaled(output, value))
                if verdict is Verdict.ACCEPTED:
                    selected[output] = (value, lease_s, self._clock.monotonic_s() + SELECT_S)
                return {"status": STATUSES.get(verdict, verdict.name)}
            case {"operate": output, "value": value} if output in self._outputs:
                chosen, lease_s, until_s = selected.pop(output, (None, 0.0, 0.0))
                if chosen != value or self._clock.monotonic_s() > until_s:
                    return {"status": "NOT_SELECTED"}
                engineering = self._scaled(output, value)
                point = self._outputs[output]
                verdict = self._plant.command(point.mrid, engineering, lease_s=lease_s)
                if verdict is Verdict.ACCEPTED:
                    self._held[point.mrid] = engineering
                return {"status": STATUSES.get(verdict, verdict.name)}
            case {"select": _} | {"operate": _}:
                return {"status": "NO_SUCH_POINT"}
            case _:
                return {"status": "NOT_UNDERSTOOD"}

    def _read(self, address: str) -> dict[str, Any]:
        point = self._points[address]
        if point.command:  # an output shows what it holds
            return {"value": self._wire(point, self._held.get(point.mrid, 0.0)), "good": True}
        reading = self._plant.read(point.mrid)
        return {
            "value": self._wire(point, reading.value),
            "good": reading.good,
            "at_s": reading.at_s,
        }

    def _scaled(self, output: str, value: float) -> float:
        point = self._outputs[output]
        return value * point.scale + point.offset

    @staticmethod
    def _wire(point: PlantPoint, value: float) -> float:
        return (value - point.offset) / point.scale
