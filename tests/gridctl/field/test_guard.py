"""Every refusal of the last line, each by an order that is right in all but one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.field.execution import with_link
from gridctl.field.guard import PERMIT_LIFE_S, Admission, Guard
from gridctl.field.spool import FieldMemory, Lease
from gridctl.limitsfile import load_limits
from gridctl.link import signed
from gridctl.model.clock import ManualClock
from gridctl.model.command import Command
from gridctl.model.errors import Refusal
from gridctl.model.limits import LimitSet
from gridctl.model.link import SignedOrder
from gridctl.model.measurement import GOOD, Flag, Measurement, TimeQuality
from gridctl.model.order import COMMANDS_PER_ORDER_MAX, Order, OrderKind
from protocols.driver import PointAddress
from protocols.points import load_points
from tests.gridctl.small_site import LOAD_GROUPS, limits_text, write_points

NOW_S = 10_000.0
KEY = Ed25519PrivateKey.generate()


@dataclass
class BenchPlant:
    """What the guard asks, all of it in the test's hand."""

    values: dict[str, Measurement]
    stopped: bool = False
    stop_file_present: bool = False
    clock_fault: str | None = None
    room: int = 1000
    down: set[str] = field(default_factory=set)
    in_flight: set[str] = field(default_factory=set)

    def present(self, point: str) -> Measurement | None:
        return self.values.get(point)

    def link_up(self, link: str) -> bool:
        return link not in self.down

    def busy(self, point: str) -> str | None:
        return f"{point} is held by command C-0" if point in self.in_flight else None

    def show(self, point: str, value: float) -> None:
        self.values[point] = measured(point, value)


def measured(point: str, value: float) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD,
        source_time_s=NOW_S,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=NOW_S,
    )


class Bench:
    """A guard over the small site, and orders that it lets through as they are."""

    def __init__(self, folder: Path, *, limits: Callable[[LimitSet], LimitSet] = lambda x: x):
        write_points(folder / "points.csv")
        (folder / "limits.toml").write_text(limits_text(), encoding="utf-8")
        self.folder = folder
        self.addresses: tuple[PointAddress, ...] = tuple(
            with_link(a) for a in load_points(folder / "points.csv")
        )
        self.limits = limits(load_limits(folder / "limits.toml"))
        self.clock = ManualClock(grid_s=NOW_S, mono_s=50.0)
        values = {f"{g}.{p}": 0.0 for g in LOAD_GROUPS for p in ("ShedFb", "Flt")}
        values |= {f"{g}.Remote": 1.0 for g in LOAD_GROUPS}
        values |= {"BAT1.WSptFb": 0.0, "BAT1.Flt": 0.0, "BAT1.Remote": 1.0, "PV1.WLimFb": 80.0}
        self.plant = BenchPlant(values={k: measured(k, v) for k, v in values.items()})
        self.restart()

    def restart(self) -> None:
        """A new guard over what the old one has written down."""
        self.memory = FieldMemory(self.folder / "spool.json")
        self.guard = Guard(
            key=KEY.public_key(),
            limits=self.limits,
            addresses=self.addresses,
            memory=self.memory,
            plant=self.plant,
            clock=self.clock,
        )

    def command(self, group: str = "LG1", **changes: object) -> Command:
        right = Command(
            mrid=f"C-{group}",
            plan="P-1",
            resource=group,
            point=f"{group}.ShedSpt",
            value=40.0,
            expect_point=f"{group}.ShedFb",
            tolerance=0.5,
            lease_until_s=NOW_S + 100.0,
            default_value=0.0,
            effect_kw=40.0,
            batch=1,
        )
        return replace(right, **changes)  # type: ignore[arg-type]

    def order(self, *commands: Command, **changes: object) -> Order:
        right = Order(
            mrid="O-1-1",
            kind=OrderKind.DISPATCH,
            epoch=1,
            sequence=1,
            plan="P-1",
            plan_digest="a" * 64,
            limits_digest=self.limits.digest(),
            approved_by=("anne", "bert"),
            not_before_s=NOW_S - 5.0,
            not_after_s=NOW_S + 60.0,
            commands=commands or (self.command(),),
        )
        return replace(right, **changes)  # type: ignore[arg-type]

    def admit(self, order: Order) -> Admission | Refusal:
        return self.guard.admit(signed(order, KEY))

    def refused(self, order: Order) -> Refusal:
        verdict = self.admit(order)
        assert isinstance(verdict, Refusal), "it was let through"
        assert self.memory.state.under_way == ()
        return verdict

    def admitted(self, order: Order) -> Admission:
        verdict = self.admit(order)
        assert isinstance(verdict, Admission), str(verdict)
        return verdict


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_right_order_passes_and_gives_one_permit_a_command(bench: Bench) -> None:
    order = bench.order(bench.command("LG1"), bench.command("LG2"))
    admission = bench.admitted(order)
    assert [p.command for p in admission.permits] == list(order.commands)
    assert admission.permits[0].use(50.0) is None
    assert admission.permits[0].use(50.0) == "permit already used"
    late = admission.permits[1].use(50.0 + PERMIT_LIFE_S + 1)
    assert late is not None
    assert "expired" in late
    assert [u.command.mrid for u in bench.memory.state.under_way] == ["C-LG1", "C-LG2"]
    assert (bench.memory.state.epoch, bench.memory.state.sequence) == (1, 1)


# Forged, replayed, out of time


def test_forged_order_with_another_key_is_refused(bench: Bench) -> None:
    verdict = bench.guard.admit(signed(bench.order(), Ed25519PrivateKey.generate()))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "bad_signature"


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64])
def test_order_without_a_signature_is_refused(bench: Bench, signature: str) -> None:
    verdict = bench.guard.admit(SignedOrder(order=bench.order(), signature=signature))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "bad_signature"


def test_order_changed_after_it_was_signed_is_refused(bench: Bench) -> None:
    genuine = signed(bench.order(), KEY)
    more = replace(genuine.order.commands[0], value=60.0)
    verdict = bench.guard.admit(replace(genuine, order=replace(genuine.order, commands=(more,))))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "bad_signature"


def test_sg25_replayed_order_is_refused(bench: Bench) -> None:
    bench.admitted(bench.order())
    for one in bench.memory.state.under_way:
        bench.memory.finish(one.command.mrid)
    assert bench.refused(bench.order()).code == "replayed"


def test_sg25_replay_is_refused_after_a_restart_too(bench: Bench) -> None:
    bench.admitted(bench.order())
    bench.restart()
    for one in bench.memory.state.under_way:
        bench.memory.finish(one.command.mrid)
    assert bench.refused(bench.order()).code == "replayed"


def test_sg25_order_of_an_older_epoch_is_refused(bench: Bench) -> None:
    bench.admitted(bench.order(epoch=3, sequence=7))
    for one in bench.memory.state.under_way:
        bench.memory.finish(one.command.mrid)
    late = bench.order(bench.command("LG2"), epoch=2, sequence=99)
    assert bench.refused(late).code == "old_epoch"


def test_sg25_newer_epoch_begins_a_new_count(bench: Bench) -> None:
    bench.admitted(bench.order(epoch=3, sequence=7))
    bench.admitted(bench.order(bench.command("LG2"), epoch=4, sequence=1))
    assert (bench.memory.state.epoch, bench.memory.state.sequence) == (4, 1)


def test_sg08_expired_order_is_refused(bench: Bench) -> None:
    bench.clock.advance(61)
    assert bench.refused(bench.order()).code == "too_late"


def test_order_before_its_time_is_refused(bench: Bench) -> None:
    early = bench.order(not_before_s=NOW_S + 5, not_after_s=NOW_S + 60)
    assert bench.refused(early).code == "not_yet"


def test_order_that_is_valid_for_ever_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(not_after_s=NOW_S + 86_400)).code == "validity_too_long"


def test_sg12_no_order_while_the_clock_is_not_trusted(bench: Bench) -> None:
    bench.plant.clock_fault = "the clock was set back by 60.0 s"
    assert bench.refused(bench.order()).code == "clock_fault"


# Approval, plan, limits, size


def test_sg06_order_that_nobody_approved_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(approved_by=())).code == "not_approved"


def test_sg09_order_without_the_digest_of_its_plan_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(plan_digest="")).code == "no_plan"


def test_sg05_order_planned_with_other_limits_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(limits_digest="b" * 64)).code == "limits_changed"


def test_dispatch_without_commands_is_refused(bench: Bench) -> None:
    assert bench.refused(replace(bench.order(), commands=())).code == "no_commands"


def test_sg17_too_many_commands_are_refused(bench: Bench) -> None:
    many = tuple(
        bench.command("LG1", mrid=f"C-{i}", point=f"X{i}")
        for i in range(COMMANDS_PER_ORDER_MAX + 1)
    )
    # The line already refuses such a frame; the guard does not rely on that.
    order = bench.order(*many)
    forged = SignedOrder(order=order, signature=KEY.sign(order.signed_bytes()).hex())
    verdict = bench.guard.admit(forged)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "too_many"


def test_sg34_refused_when_its_outcomes_could_not_be_kept(bench: Bench) -> None:
    bench.plant.room = 3
    assert bench.refused(bench.order()).code == "no_room"


def test_sg34_refused_when_the_journal_cannot_be_written(bench: Bench) -> None:
    (bench.folder / "spool.json.new").mkdir()
    assert bench.refused(bench.order()).code == "no_journal"
    assert bench.memory.state.sequence == 0


def test_sg21_refused_while_stop_holds(bench: Bench) -> None:
    bench.plant.stopped = True
    assert bench.refused(bench.order()).code == "stopped"


# The single command


def test_unknown_point_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(bench.command(point="LG9.ShedSpt"))).code == "unknown_point"


def test_point_that_takes_no_command_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(bench.command(point="LG1.TotW"))).code == "not_commandable"


def test_sg05_point_without_limits_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=lambda s: replace(s, devices=s.devices[1:]))
    assert bench.refused(bench.order()).code == "no_limit"


def test_sg26_inhibited_point_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=lambda s: replace(s, inhibited=("LG1.ShedSpt",)))
    assert bench.refused(bench.order()).code == "inhibited"
    other = bench.order(bench.command("LG2"), sequence=2)
    assert isinstance(bench.admit(other), Admission)


def test_sg03_point_twice_in_one_order_is_refused(bench: Bench) -> None:
    twice = bench.order(bench.command("LG1"), bench.command("LG1", mrid="C-other"))
    assert bench.refused(twice).code == "twice"


def test_command_twice_in_one_order_is_refused(bench: Bench) -> None:
    twice = bench.order(bench.command("LG1"), bench.command("LG2", mrid="C-LG1"))
    assert bench.refused(twice).code == "twice"


def test_sg03_busy_point_is_refused(bench: Bench) -> None:
    bench.plant.in_flight.add("LG1.ShedSpt")
    no = bench.refused(bench.order())
    assert no.code == "busy"
    assert "held by command C-0" in str(no)


def test_sg19_command_that_was_let_through_before_is_refused(bench: Bench) -> None:
    bench.admitted(bench.order())
    for one in bench.memory.state.under_way:
        bench.memory.finish(one.command.mrid)
    bench.clock.advance(20)
    again = bench.order(sequence=2)
    assert bench.refused(again).code == "repeated"


@pytest.mark.parametrize("wrong", ["LG2.ShedFb", "LG1.TotW", "nowhere"])
def test_sg02_wrong_expected_point_is_refused(bench: Bench, wrong: str) -> None:
    refusal = bench.refused(bench.order(bench.command(expect_point=wrong)))
    assert refusal.code == "wrong_expectation"


@pytest.mark.parametrize("tolerance", [5.0, -1.0])
def test_sg02_wider_tolerance_than_the_points_file_is_refused(
    bench: Bench, tolerance: float
) -> None:
    refusal = bench.refused(bench.order(bench.command(tolerance=tolerance)))
    assert refusal.code == "wrong_expectation"


@pytest.mark.parametrize("value", [100.5, -1.0])
def test_sg05_value_outside_the_limits_is_refused(bench: Bench, value: float) -> None:
    refusal = bench.refused(bench.order(bench.command(value=value)))
    assert refusal.code == "out_of_range"


def test_sg05_points_file_and_limits_file_both_hold(tmp_path: Path) -> None:
    wide = Bench(
        tmp_path,
        limits=lambda s: replace(
            s, devices=tuple(replace(d, max_value=500.0, step_max=500.0) for d in s.devices)
        ),
    )
    refusal = wide.refused(wide.order(wide.command(value=101.0, effect_kw=101.0)))
    assert refusal.code == "out_of_range"


def test_sg05_step_that_is_too_large_is_refused(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        limits=lambda s: replace(s, devices=tuple(replace(d, step_max=20.0) for d in s.devices)),
    )
    assert bench.refused(bench.order()).code == "step_too_large"
    bench.plant.show("LG1.ShedFb", 25.0)
    assert isinstance(bench.admit(bench.order()), Admission)


def test_sg12_device_whose_present_setpoint_is_not_good_is_refused(bench: Bench) -> None:
    known = bench.plant.values["LG1.ShedFb"]
    bench.plant.values["LG1.ShedFb"] = replace(known, quality=known.quality.degraded(Flag.STALE))
    assert bench.refused(bench.order()).code == "present_unknown"
    del bench.plant.values["LG1.ShedFb"]
    assert bench.refused(bench.order()).code == "present_unknown"


def test_sg05_command_too_soon_after_the_last_is_refused(bench: Bench) -> None:
    bench.admitted(bench.order())
    bench.clock.advance(4)
    soon = bench.order(bench.command(mrid="C-2"), sequence=2)
    verdict = bench.admit(soon)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "too_soon"
    bench.clock.advance(2)
    assert isinstance(bench.admit(soon), Admission)


def test_sg05_too_many_commands_in_an_hour_are_refused(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        limits=lambda s: replace(
            s, devices=tuple(replace(d, per_hour_max=2, interval_min_s=0.0) for d in s.devices)
        ),
    )

    def nth(n: int) -> Order:
        now_s = bench.clock.now_s()
        return bench.order(
            bench.command(mrid=f"C-{n}", lease_until_s=now_s + 50),
            sequence=n,
            not_before_s=now_s - 1,
            not_after_s=now_s + 60,
        )

    bench.admitted(nth(1))
    bench.clock.advance(1800)
    bench.admitted(nth(2))
    bench.clock.advance(1799)
    verdict = bench.admit(nth(3))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "too_often"
    bench.clock.advance(2)
    assert isinstance(bench.admit(nth(3)), Admission)


def test_sg22_lease_that_is_too_long_is_refused(bench: Bench) -> None:
    long = bench.order(bench.command(lease_until_s=NOW_S + 201))
    assert bench.refused(long).code == "lease_too_long"


def test_sg22_lease_that_is_over_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(bench.command(lease_until_s=NOW_S))).code == "lease_over"


def test_sg22_other_default_than_ots_is_refused(bench: Bench) -> None:
    assert bench.refused(bench.order(bench.command(default_value=10.0))).code == "wrong_default"


def test_sg27_link_that_is_down_is_refused(bench: Bench) -> None:
    bench.plant.down.add("DR")
    assert bench.refused(bench.order()).code == "link_down"


def test_sg27_device_on_local_is_refused(bench: Bench) -> None:
    bench.plant.show("LG1.Remote", 0.0)
    assert bench.refused(bench.order()).code == "local"


def test_sg27_device_with_a_fault_is_refused(bench: Bench) -> None:
    bench.plant.show("LG1.Flt", 1.0)
    assert bench.refused(bench.order()).code == "fault"


def test_sg27_switch_that_is_not_known_is_refused(bench: Bench) -> None:
    del bench.plant.values["LG1.Remote"]
    assert bench.refused(bench.order()).code == "switch_unknown"


def _with_budget(kw: float) -> Callable[[LimitSet], LimitSet]:
    return lambda s: replace(s, areas=tuple(replace(a, budget_kw=kw) for a in s.areas))


def test_sg05_area_budget_holds_over_one_order_and_over_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=_with_budget(100.0))
    three = [bench.command(g) for g in LOAD_GROUPS]
    assert bench.refused(bench.order(*three)).code == "over_budget"
    bench.admitted(bench.order(*three[:2]))
    third = bench.order(three[2], sequence=2)
    verdict = bench.admit(third)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "over_budget"
    bench.clock.advance(31)
    assert isinstance(bench.admit(third), Admission)


def test_sg05_false_effect_buys_no_room_in_the_budget(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=_with_budget(100.0))
    liars = [bench.command(g, effect_kw=0.0) for g in LOAD_GROUPS]
    assert bench.refused(bench.order(*liars)).code == "over_budget"


def test_renewal_of_a_held_setpoint_needs_no_budget(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=_with_budget(50.0))
    bench.admitted(bench.order())
    bench.memory.hold(
        Lease(
            command="C-LG1",
            order="O-1-1",
            point="LG1.ShedSpt",
            value=40.0,
            default_value=0.0,
            until_s=NOW_S + 100,
        )
    )
    bench.plant.show("LG1.ShedFb", 40.0)
    bench.clock.advance(10)
    renewal = bench.order(bench.command(mrid="C-2", effect_kw=0.0), sequence=2)
    assert isinstance(bench.admit(renewal), Admission)


def test_all_or_nothing_and_every_reason_is_told(bench: Bench) -> None:
    bench.plant.down.add("DER")
    bad = replace(
        bench.command("LG2"),
        mrid="C-BAT1",
        point="BAT1.WSpt",
        expect_point="BAT1.WSptFb",
        value=400.0,
    )
    refusal = bench.refused(bench.order(bench.command("LG1"), bad))
    text = " ".join(refusal.reasons)
    assert "outside" in text
    assert "link DER is down" in text
    assert "a step of 400" in text
    assert bench.memory.state.moves == ()


# Orders of another kind


def test_sg21_stop_is_heeded_even_late_and_told_twice(bench: Bench) -> None:
    stop = bench.order(kind=OrderKind.STOP, not_after_s=NOW_S - 100)
    stop = replace(stop, commands=())
    bench.admitted(stop)
    bench.admitted(stop)
    assert bench.memory.state.stopped
    bench.restart()
    assert bench.memory.state.stopped


def test_sg21_stop_that_is_not_genuine_is_not_heeded(bench: Bench) -> None:
    stop = replace(bench.order(kind=OrderKind.STOP), commands=())
    assert isinstance(bench.guard.admit(signed(stop, Ed25519PrivateKey.generate())), Refusal)
    assert not bench.memory.state.stopped


def test_sg21_stop_holds_although_it_cannot_be_written_down(bench: Bench) -> None:
    (bench.folder / "spool.json.new").mkdir()
    verdict = bench.admit(replace(bench.order(kind=OrderKind.STOP), commands=()))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "no_journal"
    assert bench.memory.state.stopped


def test_resume_ends_stop_but_not_before_the_stop_file_is_gone(bench: Bench) -> None:
    bench.admitted(replace(bench.order(kind=OrderKind.STOP), commands=()))
    resume = replace(bench.order(kind=OrderKind.RESUME, sequence=2), commands=())
    bench.plant.stop_file_present = True
    verdict = bench.admit(resume)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "stop_file"
    bench.plant.stop_file_present = False
    bench.admitted(resume)
    assert not bench.memory.state.stopped
    bench.admitted(replace(bench.order(kind=OrderKind.STOP, sequence=3), commands=()))
    replay = bench.admit(resume)
    assert isinstance(replay, Refusal)
    assert replay.code == "replayed"
    assert bench.memory.state.stopped


@pytest.mark.parametrize("kind", [OrderKind.RESUME, OrderKind.DEFAULT])
def test_only_dispatch_carries_commands(bench: Bench, kind: OrderKind) -> None:
    assert bench.refused(bench.order(kind=kind)).code == "carries_commands"


def test_return_to_default_is_allowed_while_stopped(bench: Bench) -> None:
    bench.plant.stopped = True
    order = replace(bench.order(kind=OrderKind.DEFAULT), commands=())
    assert bench.admitted(order).permits == ()


# The field's own permits


def held(point: str) -> Lease:
    return Lease(
        command="C-1", order="O-1-1", point=point, value=40.0, default_value=0.0, until_s=NOW_S
    )


def test_sg22_default_is_written_even_while_stopped(bench: Bench) -> None:
    bench.plant.stopped = True
    permit = bench.guard.permit_default(held("LG1.ShedSpt"))
    assert not isinstance(permit, Refusal)
    assert permit.command.value == 0.0
    assert permit.command.point == "LG1.ShedSpt"


def test_sg24_the_way_back_to_the_default_is_in_ots_steps(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        limits=lambda s: replace(s, devices=tuple(replace(d, step_max=30.0) for d in s.devices)),
    )
    seen = []
    bench.plant.show("LG1.ShedFb", 80.0)
    for _ in range(3):
        permit = bench.guard.permit_default(held("LG1.ShedSpt"))
        assert not isinstance(permit, Refusal)
        seen.append(permit.command.value)
        bench.plant.show("LG1.ShedFb", permit.command.value)
    assert seen == [50.0, 20.0, 0.0]
    assert bench.guard.step_wait_s("LG1.ShedSpt") == 5.0
    del bench.plant.values["LG1.ShedFb"]
    blind = bench.guard.permit_default(held("LG1.ShedSpt"))
    assert not isinstance(blind, Refusal)
    assert blind.command.value == 0.0, "what is not known goes to the safe side at once"


def test_sg26_default_of_an_inhibited_point_is_not_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=lambda s: replace(s, inhibited=("LG1.ShedSpt",)))
    verdict = bench.guard.permit_default(held("LG1.ShedSpt"))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "inhibited"


def test_sg05_default_of_a_point_without_limits_is_not_written(bench: Bench) -> None:
    verdict = bench.guard.permit_default(held("LG9.ShedSpt"))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "no_limit"
