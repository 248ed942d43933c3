"""Alarms: SG-28 … SG-30."""

from __future__ import annotations

from gridctl.safeguards.register import Safeguard, Standing

ALARMS: tuple[Safeguard, ...] = (
    Safeguard(
        number=28,
        title="Alarm states",
        what="Unacknowledged, acknowledged, returned to normal unacknowledged, normal.",
        seen="alarms",
        standing=Standing.IN_PART,
        missing="latched, shelved, suppressed by design, out of service",
        tests=(
            "test_sg28_returned_to_normal_stays_until_seen_and_goes_then",
            "test_sg28_seen_while_it_lasts_goes_with_its_cause",
        ),
    ),
    Safeguard(
        number=29,
        title="Alarm figures",
        what="Rate, flood, stale and chattering alarms on a page and in a report.",
        seen="",
        standing=Standing.NOT_YET,
        missing="all of it",
    ),
    Safeguard(
        number=30,
        title="Three priorities, each with a response",
        what="Every alarm has a priority by shape, number, colour and word, and says what to do.",
        seen="alarms",
        standing=Standing.IN_PART,
        missing="cause, consequence and time to respond; a list apart for system alarms; "
        "first-out; sound",
        tests=("test_sg30_an_alarm_without_priority_or_response_cannot_be_raised",),
    ),
)
