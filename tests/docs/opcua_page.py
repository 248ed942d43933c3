"""docs/reference/opcua.md: what the OPC UA driver does, from its own tables."""

from __future__ import annotations

from collections.abc import Mapping

from asyncua.ua.status_codes import StatusCodes

from protocols.opcua.codec import FLAGS, SUBSTITUTED, quality_of
from protocols.opcua.settings import OPTION_MEANINGS, option_default
from protocols.opcua.statuses import AMBIGUOUS, LOCAL, SENTENCES
from tests.docs.opcua_scenarios_page import scenario_rows
from tests.docs.tables import GENERATED, table
from tests.peers.opcua import SERVERS

_INTRO = """\
The driver is `protocols/opcua`, on the library asyncua; its own are the supervision of the link, the publish
loop, the decoder of values, the trust list and the way of a command. How to connect a server is told in
[connect an OPC UA server](../howto/connect-an-opcua-server.md)."""

_VALUES = """\
The severity gives the validity: Good `good`, Uncertain `questionable`, Bad and the reserved one `invalid`. The
server's own word stays in `native`."""

_COMMANDS = """\
*rejected*: the server has answered that nothing was done. *unknown*: it may have been done; it is looked at, never
sent again. A status that is not listed is told with the standard's own words."""

_FEATURES: Mapping[str, str] = {
    "Security policies": "Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss, each SignAndEncrypt. "
    "None only with `unencrypted_read_only = true`, without a password and for points that take no command.",
    "Server's certificate": "Judged before anything secret leaves: pinned, or by the trust list (chain, time, key, "
    "application URI, usage, revocation). Refused ones wait in `rejected/` for a person.",
    "User": "Password, or X.509 certificate.",
    "Loss": "Three keep-alives of silence, a broken socket, or an ended subscription. Then a new session, all items "
    "anew in requests that the server's limits allow; pauses of 0.5 to 1.5 s while it is away, up to 30 s while it "
    "refuses us.",
    "Values": "By subscription, newest wins; a point of a sequence-of-events group has a queue of 100, "
    "no deadband, and is sampled as fast as the server can. "
    "A gap in the sequence numbers is followed by a reading of everything.",
    "Unknown points": "A configuration error each, tried again every 10 s; the others run.",
    "Namespaces": "By URI, resolved at each connect.",
    "Arrays": "`range=1;nsu=…` is one element; where the server does not pick it, the array comes whole and we do.",
    "Enumerations, booleans": "Their number.",
    "Structures, text": "Refused for the point, with the reason on the communications screen.",
    "Redundancy": "`backup_urls`: the first server with a ServiceLevel of 200 or more, else the best; asked each "
    "second; the new session is open before the old one is left; commands go to the active one only.",
    "Gap": "`backfill = true` reads the history of sequence-of-events points between the last known source time and "
    "the return; at most 5 s and 10,000 values a point. The history ends where the new subscription begins (its first "
    "value is waited for, three publishing intervals at most): each change is told once, in its order.",
    "Alarms": "`conditions = true` follows the server's conditions with refresh into the operators' alarm list "
    "(severity from 801 on priority 1, from 401 on 2, else 3); an operator's acknowledgement is told to the server, "
    "and what it answers stands with the alarm. A lost link clears none. Not over an unencrypted link.",
    "Trace": "`gridctl trace LINK` of a running link, `--trace` of `gridctl probe opcua`: requests and answers in words; each command's own stand in `gridctl command "
    "show` with their octets, without the header that carries the session's token. Opening and closing are "
    "asyncua's own and appear as notes.",
    "Not there": "Reverse connect, GDS push, ECC policies, PubSub; deadband in the server; RegisterNodes "
    "(nothing is polled; a reading of 1,000 nodes took 13 % less on node-opcua and the same on open62541); "
    "TransferSubscriptions.",
}

_LOW_BITS = (
    ("Overflow (0x80)", "`data_loss`"),
    (
        "Limit low, high or constant (0x100, 0x200, 0x300)",
        "`limited`; which one stands in `native`",
    ),
)


def opcua_page() -> str:
    """The whole page."""
    parts = [
        "# OPC UA",
        GENERATED,
        _INTRO,
        "## What it does",
        table(("what", "how"), _FEATURES.items()),
        "## What was tried on servers of others",
        (
            "`node-opcua` is TypeScript, `o6` the C library open62541 "
            "([ADR 0014](../adr/0014-foreign-opcua-servers.md)); tests below `tests/protocols/opcua`. After each loss "
            "every single item notifies again, points were stale within three keep-alives, and requests and "
            "connections are counted. asyncua's own server is the peer of the [contract](drivers.md) of all drivers."
        ),
        table(("scenario", *sorted(SERVERS), "shown by", "why not on all"), scenario_rows()),
        "## Options of a link",
        'Keys of a `[[field.links]]` table with `protocol = "opcua"`. Paths are relative to the file.',
        table(
            ("key", "default", "what"),
            (
                (f"`{name}`", option_default(name), meaning)
                for name, meaning in OPTION_MEANINGS.items()
            ),
        ),
        "## Status codes of values",
        _VALUES,
        table(("status", "validity", "origin", "flags"), _qualities()),
        "Low bits, where the code says that they belong to a value:",
        table(("bits", "flag"), _LOW_BITS),
        "## Answers to a command",
        _COMMANDS,
        table(("status", "outcome", "what the operator reads"), _answers()),
        "Said by the driver itself:",
        table(("status", "outcome", "when"), ((f"`{k}`", *v) for k, v in LOCAL.items())),
    ]
    return "\n\n".join(parts) + "\n"


def _qualities() -> list[tuple[str, str, str, str]]:
    rows = []
    for name in sorted({*FLAGS, *SUBSTITUTED}, key=lambda n: (_order(n), n)):
        quality = quality_of(getattr(StatusCodes, name))
        flags = ", ".join(f"`{flag}`" for flag in sorted(quality.flags))
        rows.append((name, f"`{quality.validity}`", f"`{quality.origin}`", flags))
    return rows


def _order(name: str) -> int:
    return ("Good", "Uncertain", "Bad").index(
        next(word for word in ("Good", "Uncertain", "Bad") if name.startswith(word))
    )


def _answers() -> list[tuple[str, str, str]]:
    rows = []
    for name, text in sorted(SENTENCES.items(), key=lambda one: (_order(one[0]), one[0])):
        outcome = "unknown" if name in AMBIGUOUS else "rejected"
        rows.append((name, "accepted" if name.startswith("Good") else outcome, text))
    return rows
