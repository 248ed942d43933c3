"""What the communications screen shows of a DNP3 link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from protocols.dnp3.conversation import Conversation
from protocols.dnp3.fragments import Iin
from protocols.dnp3.image import PointImage
from protocols.dnp3.knowledge import Knowledge
from protocols.dnp3.session import Session
from protocols.dnp3.trace import iin_words
from protocols.traffic import Traffic

_WORDS = (
    (Iin.LOCAL_CONTROL, "local control"),
    (Iin.DEVICE_TROUBLE, "device trouble"),
    (Iin.DEVICE_RESTART, "device restart"),
    (Iin.EVENT_BUFFER_OVERFLOW, "event buffer overflow"),
    (Iin.CONFIG_CORRUPT, "configuration corrupt"),
)


def words(session: Session, image: PointImage, lost: int) -> Sequence[str]:
    """What a person has to know of a link that is up."""
    latest = session.conversation.indications.latest
    found = [word for bit, word in _WORDS if latest & bit]
    if lost:
        found.append(f"{lost} point{'' if lost == 1 else 's'} silent")
        missing = image.missing()
        if missing:
            found.append(f"never reported: {', '.join(missing[:5])}")
    knowledge = session.knowledge
    if knowledge.boxed:
        found.append("read the slower way: two readings of this device's first poll differ")
    if session.conversation.counters.withheld_confirms:
        found.append("values could not be kept, their confirms are held back")
    return found


def total(traffic: Traffic, conversation: Conversation) -> Traffic:
    """`traffic` of earlier connections and that of `conversation`."""
    counters = conversation.counters
    return replace(
        traffic,
        bytes_in=traffic.bytes_in + counters.octets_in,
        bytes_out=traffic.bytes_out + counters.octets_out,
        frames_in=traffic.frames_in + counters.frames_in,
        frames_out=traffic.frames_out + counters.frames_out,
        frame_errors=traffic.frame_errors + counters.frame_errors,
        protocol_errors=traffic.protocol_errors + counters.protocol_errors,
        timeouts=traffic.timeouts + counters.timeouts,
    )


def diagnostics(conversation: Conversation | None, knowledge: Knowledge) -> dict[str, str]:
    """The protocol's own words, by key."""
    found: dict[str, str] = {}
    if conversation is not None:
        counters, indications = conversation.counters, conversation.indications
        found["iin"] = iin_words(indications.latest) or "none"
        found |= {
            key: str(count)
            for key, count in (
                ("restarts", indications.restarts),
                ("event overflows", indications.overflows),
                ("unsolicited", counters.unsolicited),
                ("repeated", counters.repeated),
                ("foreign frames", counters.foreign),
                ("unasked answers", counters.unasked),
                ("undecoded fragments", counters.undecoded),
                ("withheld confirms", counters.withheld_confirms),
                ("withheld requests", counters.withheld_requests),
            )
            if count
        }
        if conversation.ignores_disable:
            found["disable unsolicited"] = "ignored by the device"
    found["decoder"] = {None: "not tested yet", "": "own, equal to the stack's"}.get(
        knowledge.decoder_fault, f"the stack's: {knowledge.decoder_fault}"
    )
    for text, count in knowledge.unreadable.items():
        found[f"unreadable: {text}"] = str(count)
    for text, count in knowledge.commanded.items():
        found[f"operated by others: {text}"] = str(count)
    return found
