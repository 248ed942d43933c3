"""Alarms: SG-28 … SG-30."""

from __future__ import annotations

from gridctl.control.alarmfigures import (
    CHATTER_COUNT,
    CHATTER_S,
    FLOOD_BEGINS,
    FLOOD_ENDS,
    PER_DAY_FINE,
    PER_DAY_MANY,
    STALE_S,
)
from gridctl.control.alarms import SHELF_MAX_S
from gridctl.safeguards.register import Safeguard, Standing, fixed

ALARMS: tuple[Safeguard, ...] = (
    Safeguard(
        number=28,
        title="Alarm states",
        what="Unacknowledged, acknowledged, returned to normal unacknowledged, normal; shelved for "
        "a time, with a reason, never one of priority 1, back by itself.",
        seen="alarms",
        standing=Standing.IN_FORCE,
        left_out="latched, suppressed by design, out of service: no condition here needs to be "
        "latched beyond its acknowledgement, and nothing may be suppressed without a person and "
        "an end (that is shelving) as long as alarms are as few as SG-29 asks",
        settings=(fixed("shelved at most", f"{SHELF_MAX_S / 3600:g} h"),),
        tests=(
            "test_sg28_what_is_put_aside_comes_back_by_itself",
            "test_sg28_what_cannot_be_put_aside",
            "test_sg28_returned_to_normal_stays_until_seen_and_goes_then",
            "test_sg28_seen_while_it_lasts_goes_with_its_cause",
        ),
    ),
    Safeguard(
        number=29,
        title="Alarm figures",
        what="Every raise, return and acknowledgement is kept; rate, floods, stale and chattering "
        "alarms, the loudest, shares of priority and time to acknowledge are computed from it, "
        "each against its bound.",
        seen="shift; `gridctl alarms report`",
        standing=Standing.IN_FORCE,
        settings=(
            fixed("a flood", f"begins above {FLOOD_BEGINS}, ends below {FLOOD_ENDS} in 10 min"),
            fixed("a day", f"{PER_DAY_FINE} are fine, {PER_DAY_MANY} too many"),
            fixed("chattering", f"{CHATTER_COUNT} changes in {CHATTER_S:g} s"),
            fixed("stale", f"{STALE_S / 3600:g} h"),
        ),
        tests=(
            "test_sg29_a_quiet_day_is_fine",
            "test_sg29_too_many_a_day_is_said",
            "test_sg29_a_flood_begins_above_ten_and_ends_below_five",
            "test_sg29_chattering_stale_and_the_loudest",
            "test_sg29_what_happens_to_an_alarm_is_in_its_journal",
        ),
    ),
    Safeguard(
        number=30,
        title="Three priorities, each with a response",
        what="Every alarm has a priority by shape, number, colour and word, and says what to do. "
        "Alarms about gridctl itself are a list apart. A flood is told with the alarm that came "
        "first. A tone repeats until the alarm is acknowledged or silenced.",
        seen="alarms",
        standing=Standing.IN_FORCE,
        left_out="cause, consequence and time to respond as fields of their own: the text says the "
        "cause, the response what to do, the priority how soon",
        tests=(
            "test_sg30_an_alarm_without_priority_or_response_cannot_be_raised",
            "test_sg30_a_flood_tells_what_came_first",
            "test_sg30_the_systems_own_alarms_are_a_list_apart",
        ),
    ),
)
