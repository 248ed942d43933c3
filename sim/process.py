"""The mirror as a process: reads an instance folder and stands up the world it describes."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.network import Feeder
from gridctl.wallclock import grid_clock, system_clock
from sim.fault_kinds import Fault
from sim.faults import FaultBoard, LinkServer
from sim.fleet import load_fleet
from sim.instructor import Instructor
from sim.outstation import SimOutstation
from sim.outstation_forms import VARIATIONS, read_forms
from sim.outstation_tls import OutstationTls
from sim.pace import Pace
from sim.plant import PlantPoint
from sim.plant_points import read_plant_points
from sim.recording import Playback, Recorder, Recording, check_recordable, recording
from sim.scenario import load_scenario
from sim.server import SimOpcUaServer
from sim.state_file import read_state, resume, write_state
from sim.timeline import Timeline
from sim.watchdog import Watchdog
from sim.world import World

log = logging.getLogger(__name__)


class TlsTable(BaseModel):
    """`[sim.tls.LINK]`: a DNP3 outstation behind TLS; PEM files, relative to the instance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: str
    key: str
    client_ca: str
    client_name: str

    def of(self, instance: Path) -> OutstationTls:
        """With whole paths."""
        return OutstationTls(
            certificate=instance / self.certificate,
            key=instance / self.key,
            client_ca=instance / self.client_ca,
            client_name=self.client_name,
        )


class SimTable(BaseModel):
    """`[sim]` of gridctl.toml; `tick_s` in real seconds; `record`: where each run is written down,
    "" for nowhere; `silence_s`: grid seconds without a sign of their master after which devices
    return to their defaults, None for never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: str
    instructor_socket: str
    tick_s: float = Field(ge=0.05, le=60)
    record: str = ""
    silence_s: float | None = Field(default=None, ge=1.0, le=86_400.0)
    tls: dict[str, TlsTable] = Field(default_factory=dict)


class _Publishing(LinkServer, Protocol):
    async def publish(self) -> None: ...

    def heard(self) -> bool: ...


class DnpServer:
    """A DNP3 outstation as a server of the mirror."""

    protocol = "dnp3"

    def __init__(self, inner: SimOutstation) -> None:
        self._inner = inner
        self.start, self.stop, self.publish = inner.start, inner.stop, inner.publish
        self.heard = inner.heard

    def refuse_commands(self, *, on: bool) -> None:
        self._inner.reject_select = on

    def disturb(self, fault: Fault, *, on: bool, amount: float) -> None:
        self._inner.disturb(fault, on=on, amount=amount)


class _OpcUaServer:
    """An OPC UA server as a server of the mirror."""

    protocol = "opcua"

    def __init__(self, inner: SimOpcUaServer) -> None:
        self._inner = inner
        self.start, self.stop, self.publish = inner.start, inner.stop, inner.publish
        self.heard = inner.heard

    def refuse_commands(self, *, on: bool) -> None:
        self._inner.reject_commands = on

    def disturb(self, fault: Fault, *, on: bool, amount: float) -> None:
        self._inner.disturb(fault, on=on, amount=amount)


class Simulator:
    """World, servers and instructor of one instance. Built from its folder; ConfigError else.

    `replay`: a recording that the servers show instead of the world, which then stands still.
    """

    def __init__(self, instance: Path, *, replay: Path | None = None) -> None:
        self.file = instance / "gridctl.toml"
        settings = _read_settings(self.file)
        self.table = _sim_table(settings, self.file)
        self.clock = _clock(settings)
        table = instance / _text(settings, "field", "points", self.file)
        points = read_plant_points(table)
        self._forms = read_forms(table.with_name(VARIATIONS))
        feeder = _read_feeder(instance / _text(settings, "site", "feeder", self.file))
        scenario = load_scenario(self.table.scenario)
        self.world = World(
            feeder=feeder,
            fleet=load_fleet(feeder, scenario.fleet),
            scenario=scenario,
            clock=self.clock,
            links={p.mrid: p.link for p in points if p.command},
        )
        known = set(self.world.points())
        for point in points:
            if point.mrid not in known:
                raise ConfigError(
                    f"the simulator has no point {point.mrid!r}",
                    file=str(instance / "points.csv"),
                    hint="a pilot's points come with its scenario; add none by hand",
                )
        self.playback: Playback | None = None
        if replay is not None:
            recorded = Recording(replay)
            missing = {p.mrid for p in points} - set(recorded.points)
            if missing:
                raise ConfigError(
                    f"has no point {min(missing)!r}: it was recorded in another pilot",
                    file=str(replay),
                )
            self.playback = Playback(recorded, self.clock, name=str(replay))
        self.servers: dict[str, _Publishing] = {
            str(link["id"]): self._server(instance, link, points)
            for link in settings.get("field", {}).get("links", ())
        }
        self.faults = FaultBoard(self.world, self.servers)
        self.timeline = Timeline(scenario.events)
        self.watchdog = Watchdog(
            self.table.silence_s,
            {name: self.world.holds_of(name) for name in self.servers},
            at_s=self.clock.now_s(),
        )
        self.pace = Pace(self.table.tick_s)
        self.recorder: Recorder | None = None
        self.instructor = Instructor(
            socket=instance / self.table.instructor_socket,
            world=self.world,
            faults=self.faults,
            pace=self.pace.told,
            replay=str if self.playback is None else self.playback.told,
        )

    def _server(
        self, instance: Path, link: Mapping[str, Any], points: Sequence[PlantPoint]
    ) -> _Publishing:
        name = str(link["id"])
        mine = [p for p in points if p.link == name]
        try:
            match link["protocol"]:
                case "dnp3":
                    tls = self.table.tls.get(name)
                    return DnpServer(
                        SimOutstation(
                            link=name,
                            host=link["host"],
                            port=link["port"],
                            master_address=link["master_address"],
                            outstation_address=link["outstation_address"],
                            tls=None if tls is None else tls.of(instance),
                            points=mine,
                            plant=self.playback or self.world,
                            clock=self.clock,
                            forms={
                                address: form
                                for (link_id, address), form in self._forms.items()
                                if link_id == name
                            },
                        )
                    )
                case "opcua":
                    certificate = instance / str(link["server_certificate"])
                    password = (instance / str(link["password_file"])).read_text(encoding="utf-8")
                    return _OpcUaServer(
                        SimOpcUaServer(
                            link=name,
                            url=link["url"],
                            certificate=certificate,
                            key=instance / "secrets" / f"{certificate.stem}.pem",
                            user=link["user"],
                            password=password.strip(),
                            trusted_client=instance / str(link["certificate"]),
                            points=mine,
                            plant=self.playback or self.world,
                            clock=self.clock,
                        )
                    )
                case other:
                    raise ConfigError(
                        f"the simulator does not speak {other!r}",
                        file=str(self.file),
                        key=f"field.links.{name}.protocol",
                        hint="dnp3 or opcua",
                    )
        except KeyError as error:
            raise ConfigError(
                f"link {name} has no {error}", file=str(self.file), key=f"field.links.{name}"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"link {name}: {error.strerror} ({error.filename})",
                file=str(self.file),
                key=f"field.links.{name}",
            ) from None

    async def start(self) -> None:
        """Listen everywhere. Raises ConfigError for a port that it cannot have; nothing is left
        open then."""
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self.stop)
            for name, server in self.servers.items():
                try:
                    await server.start()
                except OSError as error:
                    raise ConfigError(
                        f"link {name} cannot listen: {error.strerror or error}",
                        file=str(self.file),
                        key=f"field.links.{name}",
                        hint="another program has the port: end it, or choose another port here",
                    ) from None
            await self.instructor.start()
            for reason in self.timeline.unfit(self.faults):
                log.error("scenario: what is to come cannot: %s", reason)
            opened.pop_all()

    async def resume(self, kept: Mapping[str, Any], *, file: str) -> None:
        """Go on from a kept state; ConfigError for another world's."""
        await resume(kept, file=file, world=self.world, faults=self.faults, timeline=self.timeline)

    async def tick(self) -> None:
        """Let the world catch up with the clock, and show it."""
        if self.playback is None:
            await self._live()
        for name, server in self.servers.items():
            if not self.faults.stopped(name):
                await server.publish()

    async def _live(self) -> None:
        now_s = self.clock.now_s()
        await self.timeline.play(now_s, self.faults)
        heard = [name for name, server in self.servers.items() if server.heard()]
        self.watchdog.step(heard, at_s=now_s)
        try:
            self.world.tick(now_s)
        except UnavailableError as error:
            # The world stands as it was solved last; the heartbeat shows that it lives, and the
            # instructor and the page say that the picture is old.
            log.error("tick %d: %s", self.world.ticks, error)
        if self.recorder is not None:
            self.recorder.take(self.world)

    async def stop(self) -> None:
        """Let go of every port and socket."""
        await self.instructor.stop()
        for server in self.servers.values():
            await server.stop()


async def run_simulator(
    instance: Path,
    *,
    stop: asyncio.Event,
    record: Path | None = None,
    replay: Path | None = None,
    state: Path | None = None,
    say: Callable[[Simulator], AbstractAsyncContextManager[None]] | None = None,
) -> None:
    """Run the mirror of an instance until `stop` is set.

    Prints one JSON line on stdout when everything listens; with `say` that decides instead what is
    told and shown, as long as the mirror runs. `record`: where each tick is written down (`.csv` or
    `.parquet`); `replay`: such a file, shown again; `state`: where the world is kept at the end,
    and from where it goes on. Raises ConfigError for an instance that cannot be simulated, whose
    ports are taken, or for a recording that cannot be written.
    """
    if replay is not None and (record is not None or state is not None):
        raise ConfigError(
            "a replay is neither recorded nor kept: nothing happens to the feeder behind it",
            file=str(replay),
            hint="leave --record and --state out",
        )
    if record is not None:
        check_recordable(record)
    simulator = Simulator(instance, replay=replay)
    kept = read_state(state)
    if record is None and replay is None and simulator.table.record:
        record = instance / simulator.table.record
    async with AsyncExitStack() as stack:
        if record is not None:
            simulator.recorder = stack.enter_context(recording(record, simulator.world))
        stack.push_async_callback(simulator.stop)
        await simulator.start()
        if kept is not None:
            await simulator.resume(kept, file=str(state))
        if say is None:
            say_ready(simulator)
        else:
            await stack.enter_async_context(say(simulator))
        await _tick_until(simulator, stop)
    if state is not None:
        write_state(state, simulator.world, simulator.faults)


async def _tick_until(simulator: Simulator, stop: asyncio.Event) -> None:
    """A tick every `tick_s`; what the machine misses is skipped, never made up for in a burst."""
    loop = asyncio.get_running_loop()
    period_s = simulator.table.tick_s
    due_s = loop.time()
    while not stop.is_set():
        began_s = loop.time()
        await simulator.tick()
        due_s += period_s
        late_s = loop.time() - due_s
        missed = int(late_s // period_s) + 1 if late_s > 0 else 0
        due_s += missed * period_s
        simulator.pace.ticked(now_s=loop.time(), took_s=loop.time() - began_s, missed=missed)
        try:
            async with asyncio.timeout_at(due_s):
                await stop.wait()
        except TimeoutError:
            continue


def say_ready(simulator: Simulator, **also: str) -> None:
    """The JSON line on stdout for the parent of a child, with what else it should know."""
    line = {
        "ready": True,
        "scenario": simulator.table.scenario,
        "links": sorted(simulator.servers),
        "points": len(simulator.world.points()),
        "grid_s": simulator.clock.now_s(),
        **also,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", file=str(file), hint="gridctl demo makes one"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", file=str(file)) from None


def _sim_table(settings: Mapping[str, Any], file: Path) -> SimTable:
    if "sim" not in settings:
        raise ConfigError(
            "there is no [sim] table", file=str(file), key="sim", hint="only a pilot has a mirror"
        )
    try:
        return SimTable.model_validate(settings["sim"])
    except ValidationError as error:
        raise ConfigError(str(error), file=str(file), key="sim") from None


def _text(settings: Mapping[str, Any], table: str, key: str, file: Path) -> str:
    value = settings.get(table, {}).get(key)
    if not isinstance(value, str):
        raise ConfigError("is missing", file=str(file), key=f"{table}.{key}")
    return value


def _clock(settings: Mapping[str, Any]) -> Clock:
    clock = settings.get("clock")
    if clock is None:
        return system_clock()
    return grid_clock(
        anchor_real_s=float(clock["anchor_real_s"]),
        anchor_grid_s=float(clock["anchor_grid_s"]),
        rate=float(clock["rate"]),
    )


def _read_feeder(path: Path) -> Feeder:
    try:
        return TypeAdapter(Feeder).validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except ValidationError as error:
        raise ConfigError(f"is no feeder: {error}", file=str(path)) from None
