"""Fragments in words: what a person reads in a trace, and what is kept of a command as evidence."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from protocols.dnp3 import frames as f
from protocols.dnp3.capture import Piece
from protocols.dnp3.exchange import Exchange
from protocols.dnp3.fragments import Fragment, Function, Iin, Reassembler, parse_fragment
from protocols.dnp3.objects import Block, Broken, columns, texts, walk

VALUES_SHOWN_MAX: Final = 8
_WITHOUT_OBJECTS: Final = frozenset(
    {
        Function.READ,
        Function.ENABLE_UNSOLICITED,
        Function.DISABLE_UNSOLICITED,
        Function.ASSIGN_CLASS,
        Function.IMMED_FREEZE,
        Function.FREEZE_CLEAR,
    }
)
_LINK_WORDS: Final = {
    (True, f.RESET_LINK): "RESET_LINK",
    (True, f.TEST_LINK): "TEST_LINK",
    (True, f.REQUEST_LINK_STATUS): "REQUEST_LINK_STATUS",
    (False, f.ACK): "ACK",
    (False, f.NACK): "NACK",
    (False, f.LINK_STATUS): "LINK_STATUS",
    (False, f.NOT_SUPPORTED): "NOT_SUPPORTED",
}
_CROB: Final = struct.Struct("<BBIIB")
_FREE_FORMAT: Final = 0x5B
_OPERATIONS: Final = {0: "NUL", 1: "PULSE_ON", 2: "PULSE_OFF", 3: "LATCH_ON", 4: "LATCH_OFF"}


def iin_words(iin: int) -> str:
    """The names of the indications that are set, "" for none."""
    return "|".join(bit.name for bit in Iin if iin & bit)


def describe(fragment: Fragment) -> str:
    """One line: function, sequence, header bits, indications, objects."""
    try:
        name = Function(fragment.function).name
    except ValueError:
        name = f"FUNCTION_{fragment.function}"
    bits = [
        word
        for word, is_set in (
            ("not first", not fragment.first),
            ("more follows", not fragment.final),
            ("confirm", fragment.confirm_wanted),
        )
        if is_set
    ]
    text = f"{name} seq {fragment.sequence}"
    if bits:
        text += f" ({', '.join(bits)})"
    if fragment.iin:
        text += f" IIN {iin_words(fragment.iin) or f'0x{fragment.iin:04X}'}"
    with_data = fragment.function not in _WITHOUT_OBJECTS
    objects = [_object_text(one, with_data) for one in walk(fragment.objects, data=with_data)]
    return f"{text} | {'; '.join(objects)}" if objects else text


def _object_text(block: Block | Broken, with_data: bool) -> str:
    if isinstance(block, Broken):
        return f"unreadable from octet {block.at}: {block.reason}"
    if block.group == 60:  # noqa: PLR2004 - class headers
        return f"class {block.variation - 1}"
    where = ""
    if block.indexes is not None and block.number:
        where = f" [{block.indexes.start}..{block.indexes.stop - 1}]"
    if not with_data:
        return f"{block.name}{where} ×{block.number}" if block.number else block.name
    is_relay = (block.group, block.variation) == (12, 1) and block.prefix in (1, 2)
    if (
        is_relay
        and block.qualifier != _FREE_FORMAT
        and len(block.body) >= block.prefix + _CROB.size
    ):
        return _crob_text(block)
    strings = texts(block)
    if strings:
        spelled = ", ".join(f"{index}={text!r}" for index, text in strings[:VALUES_SHOWN_MAX])
        return f"{block.name} {spelled}"
    found = columns(block) if block.body else None
    if found is None:
        return f"{block.name}{where} ×{block.number}" if block.number else block.name
    octets: Sequence[int | None] = found.flags or [None] * len(found.values)
    shown = [
        f"{index}={value:g}" + ("" if flags is None else f" (0x{flags:02X})")
        for index, value, flags in zip(
            found.indexes[:VALUES_SHOWN_MAX],
            found.values,
            octets,
            strict=False,
        )
    ]
    rest = block.number - len(shown)
    return f"{block.name} {', '.join(shown)}" + (f" … and {rest} more" if rest > 0 else "")


def _crob_text(block: Block) -> str:
    index = int.from_bytes(block.body[: block.prefix], "little")
    code, count, on_ms, off_ms, status = _CROB.unpack_from(block.body, block.prefix)
    operation = _OPERATIONS.get(code & 0x0F, f"code {code & 0x0F}")
    return (
        f"{block.name} {index}={operation} ×{count} on {on_ms} ms off {off_ms} ms (status {status})"
    )


def lines(pieces: Iterable[Piece]) -> Iterator[str]:
    """What a capture holds, one line per fragment or link-layer frame, in the order of arrival."""
    readers = {True: f.FrameReader(), False: f.FrameReader()}
    segments = {True: Reassembler(), False: Reassembler()}
    for piece in pieces:
        arrow = "→ device" if piece.from_master else "← device"
        head = f"{_clock(piece.at_s)} {arrow}"
        reader = readers[piece.from_master]
        bad = reader.crc_errors
        for frame in reader.feed(piece.octets):
            if frame.function not in (f.UNCONFIRMED_USER_DATA, f.CONFIRMED_USER_DATA):
                word = _LINK_WORDS.get((frame.primary, frame.function), f"link {frame.function}")
                yield f"{head} {word} {frame.source}→{frame.destination}"
                continue
            whole = segments[piece.from_master].feed(frame.payload)
            fragment = parse_fragment(whole) if whole is not None else None
            if fragment is not None:
                yield f"{head} {describe(fragment)}"
        if reader.crc_errors > bad:
            yield f"{head} {reader.crc_errors - bad} frames with a wrong checksum"


def evidence(exchange: Exchange, *, grid_minus_mono_s: float) -> tuple[str, ...]:
    """The exchange as it passed: time, direction, words, and the fragment's octets."""
    told = []
    for mono_s, from_master, octets in exchange.steps:
        fragment = parse_fragment(octets)
        words = describe(fragment) if fragment is not None else "unreadable"
        arrow = "→ device" if from_master else "← device"
        told.append(f"{_clock(mono_s + grid_minus_mono_s)} {arrow} {words} | {octets.hex()}")
    if exchange.withheld:
        told.append(f"held back: {exchange.withheld}")
    return tuple(told)


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat(timespec="milliseconds")
