"""docs/reference/quality.md: what each word of a value's quality means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gridctl.model.measurement import Flag, Origin, TimeQuality, Validity
from tests.docs.tables import GENERATED, table

_INTRO = """\
A measurement cannot be written down without its quality and its time. The words are those of
IEC 61850-7-3, whatever protocol the value came over; the protocol's own word (the DNP3 flag octet, the
OPC UA StatusCode) is kept beside them as `native` and shown on the console. A value that was computed
from several has the worst validity among them, and all their flags.

Only a value that is `good` counts where a decision hangs on it: an unknown value means no, never zero."""

_MEANINGS: tuple[tuple[str, str, type[StrEnum], Mapping[StrEnum, str]], ...] = (
    (
        "Validity",
        "Whether the value may be believed.",
        Validity,
        {
            Validity.GOOD: "It may be used for every decision.",
            Validity.QUESTIONABLE: "It is shown and stored, but no decision rests on it.",
            Validity.INVALID: "It says nothing about the process; only its presence is recorded.",
        },
    ),
    (
        "Origin",
        "Where the value comes from.",
        Origin,
        {
            Origin.PROCESS: "Measured by the equipment that it describes.",
            Origin.SUBSTITUTED: "Put in by a person or a program in place of the measured one.",
            Origin.ESTIMATED: "Computed by gridctl itself.",
        },
    ),
    (
        "Flags",
        "Why the value is less than good. Several can stand together.",
        Flag,
        {
            Flag.STALE: "No new value within three scan periods, or the link's heartbeat stands still.",
            Flag.COMM_LOST: "The link to the device is down, or the device has lost the source.",
            Flag.RESTART: "The device has restarted and has not measured again since.",
            Flag.OVERFLOW: "The value is larger than its number format can hold.",
            Flag.OUT_OF_RANGE: "The value is outside the range that the source can measure.",
            Flag.BAD_REFERENCE: "The reference that the value was measured against is not right.",
            Flag.OSCILLATORY: "The value changes too often to be believed.",
            Flag.DEVICE_FAILURE: "The device says that it has failed.",
            Flag.BLOCKED: "Updating is blocked, by hand or by the device.",
            Flag.INITIAL: "Nothing has been received yet.",
            Flag.CONFIG_ERROR: "The point does not exist at the device, or is not of the kind written.",
            Flag.DATA_LOSS: "Values were lost on the way, such as by a full buffer.",
            Flag.LIMITED: "The value stands at a limit beyond which it cannot move.",
            Flag.INCONSISTENT: "The value contradicts another one, its own time, or its own notation.",
            Flag.FROZEN: "The value stands still while what it depends on moves (rule 12 of VEE).",
        },
    ),
    (
        "Time",
        (
            "How far the source time may be trusted. A device whose clock is ahead, or behind by the same again, raises "
            "the alarm `clock.LINK` until it stamps the present."
        ),
        TimeQuality,
        {
            TimeQuality.SYNCHRONIZED: "Stamped by a source whose clock is set.",
            TimeQuality.UNSYNCHRONIZED: "Stamped by a source that says that its clock is not set. "
            "Far from its receipt (`plausibility.future_s`) its time is not used.",
            TimeQuality.RECEIVED: "The source gave no time, or none that can be "
            "true: this is when the value arrived.",
        },
    ),
)


def quality_page() -> str:
    """The whole page. AssertionError when a word has no meaning."""
    parts = [f"# Quality of a measurement\n\n{GENERATED}", _INTRO]
    for title, text, words, meanings in _MEANINGS:
        missing = [word.value for word in words if word not in meanings]
        assert not missing, f"say in one sentence what {missing} mean: tests/docs/quality_page.py"
        rows = [(f"`{word.value}`", meanings[word]) for word in words]
        parts.append(f"## {title}\n\n{text}\n\n{table(('word', 'means'), rows)}")
    return "\n\n".join(parts) + "\n"
