"""The field agent by itself: a bare office end sends orders, devices are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.field.agent import run_field
from gridctl.field.spool import FieldMemory
from gridctl.limitsfile import load_limits
from gridctl.link import signed, write_frame
from gridctl.model import staleness
from gridctl.model.command import Command, CommandState
from gridctl.model.errors import ConfigError
from gridctl.model.link import Ack, FieldAlarm, Heartbeat, Hello, Outcome, Telemetry, UpFrame
from gridctl.model.order import Order, OrderKind
from tests.gridctl import small_site
from tests.gridctl.small_site import _DEVICE, Site, site, until

S = CommandState


@dataclass
class Bench:
    """A running field and everything that the office end has heard of it."""

    site: Site
    heard: list[UpFrame] = field(default_factory=list)
    sequence: int = 0

    async def listen(self) -> None:
        async for frame in self.site.link.frames():
            self.heard.append(frame)

    def of(self, kind: type[UpFrame]) -> list[UpFrame]:
        return [f for f in self.heard if isinstance(f, kind)]

    @property
    def heartbeat(self) -> Heartbeat:
        return next(f for f in reversed(self.heard) if isinstance(f, Heartbeat))

    def states(self, command: str) -> list[CommandState]:
        return [f.state for f in self.heard if isinstance(f, Outcome) and f.command == command]

    def last(self, command: str) -> Outcome:
        return next(
            f for f in reversed(self.heard) if isinstance(f, Outcome) and f.command == command
        )

    def ack(self, order: str) -> Ack | None:
        return next((f for f in self.heard if isinstance(f, Ack) and f.order == order), None)

    def command(self, group: str = "LG1", *, value: float = 40.0, lease_s: float = 60.0) -> Command:
        feedback = "BAT1.WSptFb" if group == "BAT1" else f"{group}.ShedFb"
        setpoint = "BAT1.WSpt" if group == "BAT1" else f"{group}.ShedSpt"
        return Command(
            mrid=f"C-{group}-{self.sequence}",
            plan="P",
            resource=group,
            point=setpoint,
            value=value,
            expect_point=feedback,
            tolerance=0.5,
            lease_until_s=self.site.clock.now_s() + lease_s,
            default_value=0.0,
            effect_kw=value,
            batch=1,
        )

    def order(self, *commands: Command, kind: OrderKind = OrderKind.DISPATCH) -> Order:
        self.sequence += 1
        now_s = self.site.clock.now_s()
        return Order(
            mrid=f"O-{self.sequence}",
            kind=kind,
            epoch=1,
            sequence=self.sequence,
            plan="P",
            plan_digest="a" * 64,
            limits_digest=self.site.settings.limits.digest(),
            approved_by=("anne", "bert"),
            not_before_s=now_s - 5,
            not_after_s=now_s + 300,
            commands=commands,
        )

    async def send(self, order: Order) -> Ack:
        await self.site.link.send(order)
        await until(lambda: self.ack(order.mrid), within_s=10, why="no ack")
        ack = self.ack(order.mrid)
        assert ack is not None
        return ack

    async def reaches(self, command: str, state: CommandState, within_s: float = 5) -> Outcome:
        await until(
            lambda: state in self.states(command),
            within_s=within_s,
            why=f"{command} went {self.states(command)}",
        )
        return self.last(command)


@asynccontextmanager
async def bench(
    folder: Path, *, rate: float = 10.0, lease_s: float = 200.0
) -> AsyncIterator[Bench]:
    async with site(folder, rate=rate, lease_s=lease_s) as running:
        made = Bench(running)
        ears = asyncio.create_task(made.listen())
        running.start_field()
        try:
            await until(
                lambda: running.link.connected and len(values(made)) > 20,
                within_s=15,
                why="no telemetry",
            )
            yield made
        finally:
            ears.cancel()
            await asyncio.gather(ears, return_exceptions=True)


def values(made: Bench) -> dict[str, float]:
    return {
        m.point: m.value for f in made.heard if isinstance(f, Telemetry) for m in f.measurements
    }


async def test_hello_then_telemetry_then_a_command_confirmed_by_its_feedback(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as made:
        hello = made.heard[0]
        assert isinstance(hello, Hello)
        assert {p.mrid: p.link for p in hello.points}["BAT1.WSpt"] == "DER"
        assert hello.limits_digest == load_limits(tmp_path / "limits.toml").digest()
        command = made.command()
        assert (await made.send(made.order(command))).admitted
        await made.reaches(command.mrid, S.CONFIRMED)
        assert made.states(command.mrid) == [S.SELECTED, S.OPERATED, S.ACCEPTED, S.CONFIRMED]
        await until(lambda: made.heartbeat.leases, within_s=3, why="no lease is told")
        assert made.heartbeat.leases[0].point == "LG1.ShedSpt"


@pytest.mark.parametrize(
    ("how", "states", "status", "moved"),
    [
        ("reject_select", [S.SELECTED, S.FAILED], "LOCAL", False),
        ("reject_operate", [S.SELECTED, S.OPERATED, S.FAILED], "NO_SELECT", False),
        ("ignore", [S.SELECTED, S.OPERATED, S.ACCEPTED, S.UNCONFIRMED], "SUCCESS", False),
        ("unknown_applied", [S.SELECTED, S.OPERATED, S.CONFIRMED], "TIMEOUT", True),
        ("unknown_lost", [S.SELECTED, S.OPERATED, S.UNCONFIRMED], "TIMEOUT", False),
        ("unknown_select", [S.SELECTED, S.UNCONFIRMED], "TIMEOUT", False),
    ],
)
async def test_sg18_sg19_what_the_wire_leaves_open_is_looked_up_and_never_sent_again(
    tmp_path: Path, how: str, states: list[CommandState], status: str, moved: bool
) -> None:
    async with bench(tmp_path) as made:
        made.site.drivers["DR"].script = [how]
        command = made.command()
        await made.send(made.order(command))
        end = await made.reaches(command.mrid, states[-1], within_s=6)
        assert made.states(command.mrid) == states
        assert end.status == status
        assert end.detail
        assert (made.site.plant.setpoints["LG1.ShedSpt"] == 40.0) is moved
        assert made.site.drivers["DR"].executed == [command.mrid]


@pytest.mark.parametrize(
    ("how", "state", "wire"),
    [
        ("ok", S.ACCEPTED, ("→ OPERATE 40", "← SUCCESS")),
        ("reject_select", S.FAILED, ("→ SELECT", "← LOCAL")),
        ("unknown_done", S.CONFIRMED, ("→ OPERATE 40",)),
        ("unknown_select", S.UNCONFIRMED, ("→ SELECT",)),
    ],
)
async def test_what_passed_the_wire_is_told_once_with_the_step_that_it_led_to(
    tmp_path: Path, how: str, state: S, wire: tuple[str, ...]
) -> None:
    async with bench(tmp_path) as made:
        made.site.drivers["DR"].script = [how]
        command = made.command()
        await made.send(made.order(command))
        await made.reaches(command.mrid, state, within_s=8)
        told = [f for f in made.of(Outcome) if isinstance(f, Outcome) and f.evidence]
        assert [(f.state, f.evidence) for f in told] == [(state, wire)]


async def test_sg22_lease_runs_out_and_the_default_is_written_without_any_office(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rate=20) as made:
        command = made.command(lease_s=40)
        await made.send(made.order(command))
        await made.reaches(command.mrid, S.CONFIRMED)
        made.site.line.broken = True
        made.site.line.cut()
        plant = made.site.plant
        await until(lambda: plant.setpoints["LG1.ShedSpt"] == 0.0, within_s=6, why="it is held")
        assert plant.operated == [("LG1.ShedSpt", 40.0), ("LG1.ShedSpt", 0.0)]
        # The outcome waits for the line.
        made.site.line.broken = False
        await made.reaches(command.mrid, S.RELEASED, within_s=8)


async def test_sg24_a_device_comes_back_in_the_steps_that_ot_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        small_site, "_DEVICE", _DEVICE.replace("step_max = 200.0", "step_max = 25.0")
    )
    async with bench(tmp_path, rate=20) as made:
        first = made.command(value=25.0)
        await made.send(made.order(first))
        await made.reaches(first.mrid, S.CONFIRMED)
        await asyncio.sleep(0.3)  # interval_min_s
        second = made.command(value=45.0, lease_s=60)
        assert (await made.send(made.order(second))).admitted
        await made.reaches(second.mrid, S.RELEASED, within_s=15)
        written = [value for _, value in made.site.plant.operated]
        assert written == [25.0, 45.0, 20.0, 0.0]
        alarms = [f.key for f in made.heard if isinstance(f, FieldAlarm) and f.active]
        assert "revert.LG1.ShedSpt" not in alarms, "to be on the way is no alarm"


async def test_sg22_device_that_returned_by_itself_is_not_written_again(tmp_path: Path) -> None:
    async with bench(tmp_path, rate=20) as made:
        command = made.command(lease_s=40)
        await made.send(made.order(command))
        await made.reaches(command.mrid, S.CONFIRMED)
        made.site.plant.setpoints["LG1.ShedSpt"] = 0.0  # its own timer
        end = await made.reaches(command.mrid, S.RELEASED)
        assert "by itself" in end.detail
        assert made.site.plant.operated == [("LG1.ShedSpt", 40.0)]


async def test_sg22_default_waits_for_a_dead_link_and_is_written_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rate=20) as made:
        command = made.command(lease_s=30)
        await made.send(made.order(command))
        await made.reaches(command.mrid, S.CONFIRMED)
        made.site.drivers["DR"].up = False
        await until(
            lambda: any(
                isinstance(f, FieldAlarm) and f.key == "revert.LG1.ShedSpt" for f in made.heard
            ),
            within_s=6,
            why="nobody is told",
        )
        made.site.drivers["DR"].up = True
        await made.reaches(command.mrid, S.RELEASED, within_s=10)
        assert made.site.plant.setpoints["LG1.ShedSpt"] == 0.0


async def test_a_newer_command_replaces_the_lease_of_an_older_one(tmp_path: Path) -> None:
    async with bench(tmp_path, rate=20) as made:
        first = made.command()
        await made.send(made.order(first))
        await made.reaches(first.mrid, S.CONFIRMED)
        second = made.command(value=60.0, lease_s=150)
        await asyncio.sleep(0.3)  # interval_min_s
        assert (await made.send(made.order(second))).admitted
        await made.reaches(second.mrid, S.CONFIRMED)
        assert made.states(first.mrid)[-1] is S.RELEASED
        assert made.last(first.mrid).status == "REPLACED"
        await until(
            lambda: [held.value for held in made.heartbeat.leases] == [60.0],
            within_s=3,
            why="the field holds something else",
        )


async def test_killed_field_comes_back_holding_and_says_what_it_does_not_know(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rate=20) as made:
        done, torn = made.command("LG1", lease_s=120), made.command("LG2", lease_s=120)
        await made.send(made.order(done))
        await made.reaches(done.mrid, S.CONFIRMED)
        made.site.drivers["DR"].delay_s = 5.0  # LG2 is killed between SELECT and OPERATE
        torn = replace(torn, mrid="C-torn")
        order = made.order(torn)
        await made.send(order)
        await made.reaches(torn.mrid, S.SELECTED)
        await made.site.kill("field")
        assert made.site.plant.operated == [("LG1.ShedSpt", 40.0)]
        made.heard.clear()
        made.site.start_field()
        end = await made.reaches(torn.mrid, S.UNCONFIRMED)
        assert end.status == "RESTART"
        await until(lambda: made.of(Hello), within_s=3, why="no hello")
        hello = made.of(Hello)[0]
        assert isinstance(hello, Hello)
        assert (hello.epoch_seen, hello.sequence_seen) == (1, 2)
        # The same order again is a replay, whoever sends it.
        again = await made.send(replace(order, mrid="O-again"))
        assert again.code == "replayed"
        await made.reaches(done.mrid, S.RELEASED, within_s=12)
        await made.reaches(torn.mrid, S.RELEASED, within_s=12)
        assert made.site.plant.operated == [("LG1.ShedSpt", 40.0), ("LG1.ShedSpt", 0.0)]


async def test_sg21_stop_file_is_seen_within_half_a_second_and_before_operate(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as made:
        made.site.drivers["DR"].delay_s = 0.5
        command = made.command()
        await made.send(made.order(command))
        await made.reaches(command.mrid, S.SELECTED)
        (tmp_path / "STOP").touch()
        end = await made.reaches(command.mrid, S.FAILED)
        assert end.status == "ABORTED"
        assert made.site.plant.operated == []
        await until(lambda: made.heartbeat.stopped, within_s=1.2, why="not told")
        refused = await made.send(made.order(made.command("LG2")))
        assert refused.code == "stopped"
        resume = await made.send(made.order(kind=OrderKind.RESUME))
        assert resume.code == "stop_file"
        (tmp_path / "STOP").unlink()
        await until(lambda: not made.heartbeat.stopped, within_s=2, why="still stopped")


async def test_sg21_stop_order_flushes_what_waits_and_outlives_a_kill(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.site.drivers["DR"].delay_s = 0.4
        first, second = made.command("LG1"), made.command("LG2")
        await made.send(made.order(first, second))
        await made.reaches(first.mrid, S.SELECTED)
        await made.send(made.order(kind=OrderKind.STOP))
        assert (await made.reaches(first.mrid, S.FAILED)).status == "ABORTED"
        assert (await made.reaches(second.mrid, S.FAILED)).status == "STOPPED"
        assert made.site.plant.operated == []
        await made.site.kill("field")
        made.heard.clear()
        made.site.start_field()
        await until(lambda: made.of(Hello), within_s=4, why="no hello")
        hello = made.of(Hello)[0]
        assert isinstance(hello, Hello)
        assert hello.stopped


async def test_return_to_default_ends_every_lease_now(tmp_path: Path) -> None:
    async with bench(tmp_path, rate=1) as made:
        commands = [made.command("LG1"), made.command("BAT1", value=-20.0)]
        await made.send(made.order(*commands))
        for command in commands:
            await made.reaches(command.mrid, S.CONFIRMED)
        await made.send(made.order(kind=OrderKind.DEFAULT))
        for command in commands:
            await made.reaches(command.mrid, S.RELEASED, within_s=6)
        assert made.site.plant.setpoints["BAT1.WSpt"] == 0.0


async def test_forged_order_is_refused_alarmed_and_moves_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        order = made.order(made.command())
        forged = signed(order, Ed25519PrivateKey.generate())
        writer = made.site.link._writer
        assert writer is not None
        await write_frame(writer, forged)
        await until(lambda: made.ack(order.mrid), within_s=3, why="no answer")
        ack = made.ack(order.mrid)
        assert ack is not None
        assert ack.code == "bad_signature"
        await until(
            lambda: any(isinstance(f, FieldAlarm) and f.key == "order.forged" for f in made.heard),
            within_s=2,
            why="no alarm",
        )
        assert made.site.drivers["DR"].executed == []


async def test_sg23_frozen_device_turns_stale_and_takes_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staleness, "STALE_MIN_S", 1.0)  # ten seconds are too long for a test
    async with bench(tmp_path) as made:
        made.site.drivers["DR"].silent = True
        await until(
            lambda: any(
                m.point == "LG1.ShedFb" and not m.quality.is_good
                for f in made.heard
                if isinstance(f, Telemetry)
                for m in f.measurements
            ),
            within_s=4,
            why="it never turns stale",
        )
        ack = await made.send(made.order(made.command()))
        assert not ack.admitted
        assert ack.code == "present_unknown"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("limits", "limits file does not exist"),
        ("points", "cannot be read"),
        ("key", "cannot be read"),
        ("heartbeat", "not a point of link"),
        ("link", "is not configured"),
        ("spool", "damaged"),
    ],
)
async def test_it_refuses_to_start_with_a_file_that_it_cannot_use(
    tmp_path: Path, change: str, match: str
) -> None:
    async with site(tmp_path) as running:
        settings = running.field_settings
        match change:
            case "limits":
                settings.limits.unlink()
            case "points":
                settings.points.unlink()
            case "key":
                settings.office_public_key.unlink()
            case "heartbeat":
                first = replace(settings.links[0], heartbeat="DER.HB")
                settings = replace(settings, links=(first, *settings.links[1:]))
            case "link":
                settings = replace(settings, links=settings.links[:2])
            case _:
                settings.spool.write_text("?", encoding="utf-8")
        with pytest.raises(ConfigError, match=match):
            await run_field(
                settings,
                clock=running.clock,
                stop=asyncio.Event(),
                open_driver=running.open_driver,
                line=running.line.dial,
            )


async def test_spool_holds_what_was_admitted_before_anything_was_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.site.drivers["DR"].delay_s = 1.0
        command = made.command()
        await made.send(made.order(command))
        await made.reaches(command.mrid, S.SELECTED)
        on_disk = FieldMemory(made.site.field_settings.spool).state
        assert [u.command for u in on_disk.under_way] == [command]
        assert made.site.plant.operated == []
