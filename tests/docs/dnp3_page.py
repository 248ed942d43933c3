"""docs/reference/dnp3.md: what the DNP3 driver does, from its own tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocols.dnp3.codec import quality_of
from protocols.dnp3.controls import STATUS
from protocols.dnp3.options import OPTION_MEANINGS
from tests.docs.dnp3_dangers_page import SURVIVED, TRAPS, Danger
from tests.docs.dnp3_features_page import FEATURES, NOT
from tests.docs.tables import GENERATED, table

_INTRO = """\
The driver is `protocols/dnp3`: yadnp3 (opendnp3) starts a device and sets its clock, a line of our own in the same
process polls and commands it ([ADR 0013](../adr/0013-dnp3-line.md), [0022](../adr/0022-dnp3-polls-and-commands.md)). How to connect a device is told in
[connect an outstation](../howto/connect-an-outstation.md), what it was tried against in [DNP3 peers](dnp3-peers.md)."""

_FEATURES = """\
What users of DNP3 masters ask for. *Solved around*: yadnp3 cannot do it, or not well enough, and the line does.
Tests are files below `tests/protocols/dnp3`, with `peers/` below `tests/peers/dnp3`, with `journeys/` below `tests/journeys`; each is looked up by a test."""


def _features() -> Iterator[tuple[str, ...]]:
    for one in FEATURES:
        state = f"**{one.state}**" if one.state == NOT else one.state
        yield one.name, state, one.how, _tests(one.tests)


def _dangers(dangers: Sequence[Danger]) -> str:
    rows = [(one.name, one.how, _tests(one.tests)) for one in dangers]
    return table(("what happens", "what is done", "shown by"), rows)


def _tests(names: Sequence[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


_OCTETS = (0x01, 0x00, 0x03, 0x05, 0x04, 0x09, 0x11, 0x21, 0x41, 0x61, 0xC1)
_GROUPS = {
    1: "binary (g1)",
    3: "double bit (g3)",
    10: "output (g10)",
    20: "counter (g20)",
    30: "analog (g30)",
}


def _qualities() -> Iterator[tuple[str, ...]]:
    for group, name in _GROUPS.items():
        for octet in _OCTETS:
            found = quality_of(group, octet, "")
            flags = ", ".join(f"`{flag}`" for flag in sorted(found.flags))
            yield name, f"`{found.native}`", f"`{found.validity}`", f"`{found.origin}`", flags
    found = quality_of(30, None, "g30v3")
    yield (
        "a variation without flags",
        f"`{found.native}`",
        f"`{found.validity}`",
        f"`{found.origin}`",
        "",
    )


def dnp3_page() -> str:
    parts = [
        "# DNP3",
        GENERATED,
        _INTRO,
        "## Features",
        _FEATURES,
        table(("feature", "state", "how, or why not", "shown by"), list(_features())),
        "## Traps of the native stack",
        (
            "Each was measured on yadnp3 3.2.1.4 by itself. Most are passed by because the line does the work; all "
            "have a test that the driver cannot fall into them. A thousand comings and goings of drivers in every "
            "state leave no descriptor and no thread behind (`test_soak::test_a_thousand_cycles`, in `make soak`)."
        ),
        _dangers(TRAPS),
        "## What a device may do",
        "In words and with its limits: [what a field device may do to us](../explanation/hostile-field.md).",
        _dangers(SURVIVED),
        "## Options of a link",
        'Keys of a `[[field.links]]` table with `protocol = "dnp3"`. Paths are relative to the file.',
        table(
            ("key", "default", "what"),
            [
                (f"`{key}`", default if "must" in default else f"`{default}`", meaning)
                for key, (default, meaning) in OPTION_MEANINGS.items()
            ],
        ),
        "## Flag octets",
        (
            "The octet stays in `native`, with the names of its bits. What is not ONLINE is invalid; a forced value is "
            "substituted, not bad; the state bits of a double bit that is neither open nor closed make it invalid. A "
            "number that is none (NaN, infinite) becomes 0, invalid, `overflow`."
        ),
        table(("type", "octet", "validity", "origin", "flags"), list(_qualities())),
        "## Times",
        table(
            ("what came", "source time", "time quality"),
            [
                ("a time, device synchronized", "the device's", "`synchronized`"),
                ("a time while IIN1.4 (need time) is set", "the device's", "`unsynchronized`"),
                ("a time more than 10 s ahead of us", "the device's", "`unsynchronized`"),
                ("relative to g51v1", "the sum", "`synchronized`"),
                ("relative to g51v2", "the sum", "`unsynchronized`"),
                ("no time, or 0, or relative to nothing", "of receipt", "`received`"),
            ],
        ),
        "## Command status codes",
        (
            "A code is the device's own refusal, at SELECT or at OPERATE: *rejected*, nothing was operated. Any other "
            "number is told as STATUS_n."
        ),
        table(
            ("code", "name", "what the operator reads"),
            [(str(code), name, sentence) for code, (name, sentence) in STATUS.items()],
        ),
        "## Other outcomes of a command",
        table(
            ("status", "result", "when"),
            [
                ("LINK_DOWN", "rejected", "The link is not up; nothing is queued."),
                ("NOT_SENT", "rejected", "No SELECT left: busy link, time up, broken link."),
                ("NOT_OPERATED", "rejected", "SELECT echoed too late; OPERATE was held back."),
                (
                    "ECHO_MISMATCH",
                    "rejected",
                    "The answer to SELECT was not our object; no OPERATE left.",
                ),
                ("IIN_ERROR", "rejected", "SELECT echoed with a request error; no OPERATE left."),
                ("ABORTED", "aborted", "STOP before SELECT, or between SELECT and OPERATE."),
                ("ECHO_MISMATCH, IIN_ERROR", "unknown", "The same in the answer to OPERATE."),
                (
                    "RESPONSE_TIMEOUT, NO_COMMS, NO_ANSWER",
                    "unknown",
                    "No answer; the connection is reset.",
                ),
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"
