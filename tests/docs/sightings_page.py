"""What a fault of the simulator looks like from the control room, as walked on running pilots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.fault_kinds import Fault
from tests.docs.tables import table

_LINK_LOST: Final = (
    "its points and devices are not good, plans go on without them; *nothing can be approved* where "
    "fewer than 95 % of the points are left; alarm *link … is not usable*"
)
_SEEN: Final[Mapping[Fault, tuple[str, str]]] = {
    Fault.FROZEN_FEED: ("all values *too old*, alarm: every heartbeat stands still", "11"),
    Fault.DEAD_OUTSTATION: (f"link down, {_LINK_LOST}", "2, alarm 6"),
    Fault.OUTSTATION_RESTART: (
        "link down and up again, everything read anew; alarm *has restarted*, until it is seen",
        "2, over after 4",
    ),
    Fault.OUTSTATION_FREEZE: (f"*points silent*, then {_LINK_LOST}", "3, alarm 10 to 16"),
    Fault.WRONG_TIME: (
        (
            "alarm *the clock of the device behind … is 600 s ahead*; values count as of their receipt. "
            "An OPC UA server that stamps the future as set is contradicted: its values are not used"
        ),
        "2",
    ),
    Fault.EVENT_STORM: (
        "alarm *more events than its buffer holds*; switches behind it *change too fast to be believed*, their devices are left out",
        "3",
    ),
    Fault.LOST_REPLIES: ("*points silent*, reconnections; the head may be lost", "4, alarm 10"),
    Fault.DELAYED_REPLIES: (f"timeouts on *Links*, then {_LINK_LOST}", "3 to 10, alarm 8 to 15"),
    Fault.DUPLICATED_REPLIES: ("nothing: repeats are thrown away and counted on *Links*", "never"),
    Fault.HALF_OPEN: (f"*points silent* or no answer, then {_LINK_LOST}", "3, alarm 9"),
    Fault.REJECTED_SELECT: (
        "command failed in the device's words; the plan stops (SG-17); the device is left out for half an hour",
        "1 after the order",
    ),
    Fault.LOST_OPERATE: (
        "command unconfirmed: OPERATE was not answered, and what the feedback shows; never sent again",
        "32 after the order",
    ),
    Fault.COMM_LOSS: ("device left out; alarm *does not answer its concentrator*", "2, alarm 5"),
    Fault.DEVICE_FAULT: ("device left out; alarm *reports a fault*", "2, alarm 5"),
    Fault.LOCAL: ("device left out; alarm *stands at local and takes no commands*", "2, alarm 5"),
    Fault.CUSTOMER_OVERRIDE: (
        "nothing available; under a command: alarm *sheds 0 kW where … kW are due*",
        "35 after the order",
    ),
    Fault.NOT_EXECUTED: (
        "command unconfirmed: the feedback shows another value; left out for half an hour",
        "30 after the order",
    ),
    Fault.LATE_EXECUTION: ("as not executed, when it is later than the confirmation waits", "30"),
    Fault.WRONG_SIGN: ("alarm *gives -40 kW where 40 kW are due*", "34 after the order"),
    Fault.INVERTER_TRIP: ("alarm *gives 0 kW where … kW are due*, while there is sun", "34"),
    Fault.STUCK_SENSOR: (
        "the head: *stands still while the feeder moves*, alarm; a voltage (16 minutes of grid time): nothing",
        "31",
    ),
    Fault.DRIFTING_SENSOR: (
        (
            "the head (6,000 kW/h), when it is a sixth off: alarm *the head shows … kW, its "
            "currents carry no more than … kVA*; a voltage: nothing yet"
        ),
        "60",
    ),
    Fault.SPIKING_SENSOR: (
        "the spike *outside what can be*, never used; no alarm for one",
        "at once",
    ),
    Fault.BAD_QUALITY: (
        "value not good; for the head: alarm *nothing can be approved*",
        "2, alarm 4",
    ),
    Fault.UNIT_X1000: ("value *outside what can be*; for the head: alarm", "2 to 4, alarm 5"),
    Fault.BREAKER_TRIP: (
        "alarm of priority 1 *no voltage at …*; plans made before are void",
        "2, alarm 5",
    ),
    Fault.LINE_OUT: ("as breaker-trip, where a voltage is measured behind it", "2, alarm 5"),
    Fault.ISLANDED_LATERAL: (
        "while batteries carry it: alarm *gives 21 kW where 0 kW are due*; dark: as line-out",
        "34; dark: 2, alarm 5",
    ),
    Fault.STUCK_REGULATOR: (
        "alarm *… does not move*, with tap, reading and band, when the voltage has left the band",
        "minutes of grid time",
    ),
}


def sightings() -> str:
    """The section. KeyError for a fault that nobody has looked at."""
    rows = ((f"`{fault}`", *_SEEN[fault]) for fault in Fault)
    return "## What the control room sees\n\n" + _INTRO + "\n\n" + table(_HEADS, rows)


_HEADS: Final = ("fault", "at the console", "seen after, s")
_INTRO: Final = """\
Walked one by one on `gridctl demo` (ten times real time, November 2026), each from the page, the command line or the
socket; seconds are real ones from the switch to the first sign and to the alarm. All of it went away by itself within
four seconds after the fault was switched off, but: an overflow after 30 s of calm, an inverter when its ramp had brought
it back, a device that did not obey after half an hour. The stuck regulators were seen in the exam of that name."""
