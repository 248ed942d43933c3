"""Every fault that can be thrown into the mirror: its name, what it takes, and what it does.

The list is the documentation: `docs/reference/simulator-faults.md` is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What can go wrong in the mirror."""

    FROZEN_FEED = "frozen-feed"
    DEAD_OUTSTATION = "dead-outstation"
    OUTSTATION_RESTART = "outstation-restart"
    OUTSTATION_FREEZE = "outstation-freeze"
    WRONG_TIME = "wrong-time"
    EVENT_STORM = "event-storm"
    LOST_REPLIES = "lost-replies"
    DELAYED_REPLIES = "delayed-replies"
    DUPLICATED_REPLIES = "duplicated-replies"
    HALF_OPEN = "half-open"
    REJECTED_SELECT = "rejected-select"
    LOST_OPERATE = "lost-operate"
    COMM_LOSS = "comm-loss"
    DEVICE_FAULT = "device-fault"
    LOCAL = "local"
    CUSTOMER_OVERRIDE = "customer-override"
    NOT_EXECUTED = "not-executed"
    LATE_EXECUTION = "late-execution"
    WRONG_SIGN = "wrong-sign"
    INVERTER_TRIP = "inverter-trip"
    STUCK_SENSOR = "stuck-sensor"
    DRIFTING_SENSOR = "drifting-sensor"
    SPIKING_SENSOR = "spiking-sensor"
    BAD_QUALITY = "bad-quality"
    UNIT_X1000 = "unit-x1000"
    BREAKER_TRIP = "breaker-trip"
    LINE_OUT = "line-out"
    ISLANDED_LATERAL = "islanded-lateral"
    STUCK_REGULATOR = "stuck-regulator"


class Aim(StrEnum):
    """What a fault is aimed at."""

    EVERYTHING = "nothing: it concerns everything"
    LINK = "a link"
    DNP3_LINK = "a DNP3 link"
    LINK_OR_ALL = "a link, or none for all"
    DEVICE = "a device"
    LOAD_GROUP = "a load group"
    SIGNED_DEVICE = "a load group or a battery"
    INVERTER = "a battery or a PV inverter"
    POINT = "a readable point"
    SWITCH = "a switch, or none for the feeder head"
    BRANCH = "a line or a switch"
    REGULATOR = "a regulator"


OF_SERVER: Final = frozenset({Aim.LINK, Aim.DNP3_LINK, Aim.LINK_OR_ALL})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One row of the list. `amount` is what the fault takes when none is given, in `unit`; a fault
    without a unit takes none. `momentary`: switching it on is all there is to it."""

    fault: Fault
    aim: Aim
    does: str
    unit: str = ""
    amount: float = 0.0
    amount_max: float = 0.0
    momentary: bool = False


_ROWS: Final = (
    FaultKind(
        fault=Fault.FROZEN_FEED, aim=Aim.EVERYTHING,
        does="all readings, heartbeats too, stand still; the servers go on answering",
    ),
    FaultKind(
        fault=Fault.DEAD_OUTSTATION, aim=Aim.LINK,
        does="crash: connections end and the port is closed until it is switched off",
    ),
    FaultKind(
        fault=Fault.OUTSTATION_RESTART, aim=Aim.LINK, momentary=True,
        does="power off and on: it comes back at once, restarted (IIN1.7), its events forgotten",
    ),
    FaultKind(
        fault=Fault.OUTSTATION_FREEZE, aim=Aim.LINK,
        does="a DNP3 outstation hangs with its socket open and works through what came in when it "
        "goes on; an OPC UA server shows nothing new",
    ),
    FaultKind(
        fault=Fault.WRONG_TIME, aim=Aim.LINK, unit="s", amount=600.0, amount_max=1e9,
        does="the device's clock is off by so much, whatever a master sets",
    ),
    FaultKind(
        fault=Fault.EVENT_STORM, aim=Aim.DNP3_LINK, unit="events/tick", amount=5_000.0,
        amount_max=100_000.0,
        does="so many events at each tick, more than the buffer holds (IIN2.3)",
    ),
    FaultKind(
        fault=Fault.LOST_REPLIES, aim=Aim.DNP3_LINK, unit="share", amount=0.5, amount_max=1.0,
        does="this share of what the outstation sends never arrives",
    ),
    FaultKind(
        fault=Fault.DELAYED_REPLIES, aim=Aim.LINK, unit="s", amount=3.0, amount_max=120.0,
        does="what the server sends arrives so many real seconds late, in order",
    ),
    FaultKind(
        fault=Fault.DUPLICATED_REPLIES, aim=Aim.DNP3_LINK, unit="share", amount=0.5, amount_max=1.0,
        does="this share of what the outstation sends arrives twice",
    ),
    FaultKind(
        fault=Fault.HALF_OPEN, aim=Aim.LINK,
        does="TCP connections stay open and accept, nothing is read or answered; when it is "
        "switched off they are reset",
    ),
    FaultKind(
        fault=Fault.REJECTED_SELECT, aim=Aim.LINK_OR_ALL,
        does="every SELECT, write and method call is refused",
    ),
    FaultKind(
        fault=Fault.LOST_OPERATE, aim=Aim.DNP3_LINK,
        does="SELECT is accepted; the OPERATE after it gets lost: neither executed nor answered",
    ),
    FaultKind(
        fault=Fault.COMM_LOSS, aim=Aim.DEVICE,
        does="the device no longer answers its concentrator: last values, not good; commands are "
        "BLOCKED",
    ),
    FaultKind(
        fault=Fault.DEVICE_FAULT, aim=Aim.DEVICE,
        does="the device's fault flag: it does nothing and takes nothing (BLOCKED)",
    ),
    FaultKind(
        fault=Fault.LOCAL, aim=Aim.DEVICE,
        does="the local/remote switch stands at local: commands are refused with LOCAL",
    ),
    FaultKind(
        fault=Fault.CUSTOMER_OVERRIDE, aim=Aim.LOAD_GROUP,
        does="the customers have overruled it: commands are accepted, nothing is shed, nothing is "
        "available",
    ),
    FaultKind(
        fault=Fault.NOT_EXECUTED, aim=Aim.DEVICE,
        does="commands are accepted and nothing happens, not even in the feedback",
    ),
    FaultKind(
        fault=Fault.LATE_EXECUTION, aim=Aim.DEVICE, unit="s", amount=120.0, amount_max=7_200.0,
        does="commands are accepted and executed so many grid seconds late",
    ),
    FaultKind(
        fault=Fault.WRONG_SIGN, aim=Aim.SIGNED_DEVICE,
        does="the device confirms the setpoint and does the opposite",
    ),
    FaultKind(
        fault=Fault.INVERTER_TRIP, aim=Aim.INVERTER,
        does="the inverter is off the grid at once; it returns by a ramp 300 s after the end "
        "(IEEE 1547-2018 §4.10.3)",
    ),
    FaultKind(
        fault=Fault.STUCK_SENSOR, aim=Aim.POINT,
        does="the value stands still, with good quality and fresh time",
    ),
    FaultKind(
        fault=Fault.DRIFTING_SENSOR, aim=Aim.POINT, unit="unit/h", amount=0.0, amount_max=1e9,
        does="the value drifts away; without an amount by a tenth of itself per hour",
    ),
    FaultKind(
        fault=Fault.SPIKING_SENSOR, aim=Aim.POINT, unit="times", amount=5.0, amount_max=1e6,
        does="about every tenth tick the value is so many times too large",
    ),
    FaultKind(
        fault=Fault.BAD_QUALITY, aim=Aim.POINT, does="the value is right and marked as not good",
    ),
    FaultKind(
        fault=Fault.UNIT_X1000, aim=Aim.POINT, does="watts are sent where kilowatts are expected",
    ),
    FaultKind(
        fault=Fault.BREAKER_TRIP, aim=Aim.SWITCH,
        does="the switch opens (without a target: the breaker at the head); what is behind it is "
        "dark",
    ),
    FaultKind(
        fault=Fault.LINE_OUT, aim=Aim.BRANCH,
        does="the line or switch is open; what has no other way to the source is dark",
    ),
    FaultKind(
        fault=Fault.ISLANDED_LATERAL, aim=Aim.BRANCH,
        does="as line-out, but batteries behind it carry what is cut off, as long as their rating "
        "and charge suffice; then it is dark",
    ),
    FaultKind(
        fault=Fault.STUCK_REGULATOR, aim=Aim.REGULATOR, does="the tap changer no longer moves",
    ),
)  # fmt: skip

KINDS: Final = {row.fault: row for row in _ROWS}
