"""Quality in one integer, so that a sample costs eight bytes less and still comes back whole.

The numbers are written in databases: never change one, only add. Bits 0-1 validity, 2-3 origin,
4-5 time quality, from 6 on one bit a flag. `validity` is lowest, so `quality & 3 = 0` means good.
"""

from __future__ import annotations

from gridctl.model.measurement import Flag, Origin, Quality, TimeQuality, Validity

_VALIDITY = {Validity.GOOD: 0, Validity.QUESTIONABLE: 1, Validity.INVALID: 2}
_ORIGIN = {Origin.PROCESS: 0, Origin.SUBSTITUTED: 1, Origin.ESTIMATED: 2}
_TIME = {TimeQuality.SYNCHRONIZED: 0, TimeQuality.UNSYNCHRONIZED: 1, TimeQuality.RECEIVED: 2}
_FLAG = {
    Flag.STALE: 6,
    Flag.COMM_LOST: 7,
    Flag.RESTART: 8,
    Flag.OVERFLOW: 9,
    Flag.OUT_OF_RANGE: 10,
    Flag.BAD_REFERENCE: 11,
    Flag.OSCILLATORY: 12,
    Flag.DEVICE_FAILURE: 13,
    Flag.BLOCKED: 14,
    Flag.INITIAL: 15,
    Flag.CONFIG_ERROR: 16,
    Flag.DATA_LOSS: 17,
    Flag.LIMITED: 18,
    Flag.INCONSISTENT: 19,
    Flag.FROZEN: 20,
}
_VALIDITY_BACK = {number: word for word, number in _VALIDITY.items()}
_ORIGIN_BACK = {number: word for word, number in _ORIGIN.items()}
_TIME_BACK = {number: word for word, number in _TIME.items()}


def packed(quality: Quality, time_quality: TimeQuality) -> int:
    """Everything but the native word."""
    bits = _VALIDITY[quality.validity] | _ORIGIN[quality.origin] << 2 | _TIME[time_quality] << 4
    for flag in quality.flags:
        bits |= 1 << _FLAG[flag]
    return bits


def unpacked(bits: int, native: str) -> tuple[Quality, TimeQuality]:
    """The inverse of `packed`. KeyError for bits that no version of this table wrote."""
    quality = Quality(
        validity=_VALIDITY_BACK[bits & 3],
        origin=_ORIGIN_BACK[bits >> 2 & 3],
        flags=frozenset(flag for flag, bit in _FLAG.items() if bits >> bit & 1),
        native=native,
    )
    return quality, _TIME_BACK[bits >> 4 & 3]
