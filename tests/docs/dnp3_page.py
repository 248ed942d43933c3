"""docs/reference/dnp3.md: what the DNP3 driver does, from its own tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from protocols.dnp3.codec import quality_of
from protocols.dnp3.controls import STATUS
from protocols.dnp3.options import OPTION_MEANINGS
from tests.docs.tables import GENERATED, table

_INTRO = """\
The driver is `protocols/dnp3`: the master is yadnp3 (opendnp3), behind a line of our own in the same process
([ADR 0013](../adr/0013-dnp3-line.md)). How to connect a device is told in
[connect an outstation](../howto/connect-an-outstation.md), what it was tried against in [DNP3 peers](dnp3-peers.md)."""

_FEATURES: Mapping[str, str] = {
    "Start": "DISABLE_UNSOLICITED, clear restart, everything (classes 1, 2, 3, 0), time, ENABLE_UNSOLICITED by class. "
    "A device that ignores function 21 is started without it.",
    "Polls": "Everything each `integrity_s`; event classes and ranges with periods of their own. Links that come up "
    "together poll apart. A point that reports by exception is told again each `scan_s` while the device answers.",
    "Unsolicited": "Null and data; a repetition (same sequence, same octets) is confirmed again and taken once.",
    "Confirm": "Leaves after the values are in the inbox. When they could not be taken it is held back, and the "
    "device tells its events again.",
    "Restart (IIN1.7)": "Cleared, then everything is read. At most three clears in 30 s.",
    "Event overflow (IIN2.3)": "Exactly one poll of everything for each time the bit rises, at most one in 10 s.",
    "Need time (IIN1.4)": "Clock set by LAN or non-LAN procedure or plain write, at most once a minute; until then "
    "the device's times are `unsynchronized`.",
    "Types": "g1–4, 10, 11, 20–23, 30–33, 40, 42, 110, 111 in all variations; common time of occurrence (g51). "
    "An octet string is worth the number that it spells. g13 and g43 (commanded by others) are logged.",
    "Unknown objects": "Named on the communications screen; what stood before them in the fragment is kept.",
    "Event class, deadband": "A group's `event_class` by ASSIGN_CLASS, deadbands by g34v3 (`write_deadbands`).",
    "Counters": "IMMEDIATE_FREEZE or FREEZE_CLEAR each `freeze_counters_s`.",
    "Commands": "g12v1 latch, g41v3; SELECT before OPERATE only. Both are compared octet by octet with the permit "
    "in the moment in which they leave, the answers with what was sent. STOP between the two withholds OPERATE. "
    "The exchange is kept as evidence.",
    "Link layer": "Ended in the line: confirmed user data acknowledged, link requests answered, REQUEST_LINK_STATUS "
    "as keep-alive; an unanswered one resets the connection.",
    "TLS": "1.2 and 1.3, mutual, name pinned, on Python's OpenSSL; end of both certificates in the link's health.",
    "Loss": "Pauses of 0.25 to 5 s with jitter, the backup endpoint in turn. Everything of the old connection is "
    "thrown away with it: nothing that was queued can leave later.",
    "Limits": "2,048 octets a fragment, 64 fragments and `response_max_s` a response, 200 unsolicited responses at "
    "once and 50/s, 40 link requests at once and 4/s, 32 protocol errors at once and 2/s; beyond it the connection "
    "ends. 8,192 octets a turn of the event loop.",
    "Capture": "`Dnp3Driver.capture`: the last 4 MiB of a link as pcap and as text, clear text inside TLS.",
    "Many outstations": "One connection and one master each, in one process.",
}

_MISSING: Mapping[str, str] = {
    "DIRECT OPERATE, with and without acknowledgement": "Can execute seconds after it was reported as timed out; "
    "[ADR 0004](../adr/0004-select-before-operate.md).",
    "Several points in one request": "yadnp3 knows one; lease, setpoint and enabling output go one after the other.",
    "Pulse, trip and close (CROB)": "Only latches have a state that can be read back.",
    "g41v1, v2, v4": "g41v3 (float) is what demand response sends; a device that takes integers only answers "
    "NOT_SUPPORTED.",
    "Cold and warm restart of the device": "A switching act of its owner, not of demand response.",
    "Broadcast": "A command to everybody cannot be confirmed; broadcast addresses are a configuration error.",
    "Secure authentication (SAv5, SAv6)": "yadnp3 cannot; mutual TLS instead.",
    "Serial lines": "Through a terminal server. The line ends TCP and TLS only.",
    "File transfer, virtual terminal, data sets": "Not needed to see or move power.",
    "Several masters on one channel (multi-drop)": "One connection for each device.",
    "Time and interval (g50v4)": "Decoded in traces; it is no value of a point.",
}

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
        "## What it does",
        table(("what", "how"), [(f"{key}", text) for key, text in _FEATURES.items()]),
        "## What it does not do, and why",
        table(("what", "why"), list(_MISSING.items())),
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
                ("STACK_DISAGREES", "unknown", "The octets say accepted, yadnp3 does not."),
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"
