"""A pack fails on any change, whoever makes it and wherever."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.evidencepack import MANIFEST, SIGNATURE, PackError, read_pack, write_pack

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FILES = {"plans/P1/plan.json": b'{"mrid":"P1"}', "audit.jsonl": b"[1]\n", "empty.txt": b""}


def made(key: Ed25519PrivateKey = KEY) -> bytes:
    return write_pack(
        FILES,
        about="P1",
        plans=("P1",),
        made_at_s=1_786_000_000.5,
        made_by="anne",
        version="0.1.0",
        absent={"plans/P1/wire.json": "nothing was sent"},
        key=key,
    )


def rebuilt(change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The pack with other files, as a careful forger would zip it: our own writer does it."""
    with zipfile.ZipFile(io.BytesIO(made())) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, body)
    return out.getvalue()


def test_what_was_written_comes_back_and_is_always_the_same() -> None:
    pack = read_pack(made(), key=KEY.public_key())
    assert pack.files == FILES
    assert (pack.about, pack.plans, pack.made_by) == ("P1", ("P1",), "anne")
    assert pack.absent == {"plans/P1/wire.json": "nothing was sent"}
    assert made() == made() == rebuilt(lambda files: None)


def test_every_flipped_bit_is_found() -> None:
    data = bytearray(made())
    for place in range(len(data)):
        bit = 1 << place % 8
        data[place] ^= bit
        with pytest.raises(PackError):
            read_pack(bytes(data), key=KEY.public_key())
        data[place] ^= bit


def test_every_cut_is_found() -> None:
    data = made()
    for length in range(0, len(data), 7):
        with pytest.raises(PackError):
            read_pack(data[:length])


def _swap(files: dict[str, bytes]) -> None:
    one, other = "plans/P1/plan.json", "audit.jsonl"
    files[one], files[other] = files[other], files[one]


def _write(name: str, body: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: body})


def _shouted(files: dict[str, bytes]) -> None:
    files[SIGNATURE] = files[SIGNATURE].upper()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_write("plans/P1/plan.json", b'{"mrid":"P2"}'), "is not what was signed"),
        (_write("more.txt", b"x"), "does not belong here"),
        (lambda files: files.pop("empty.txt"), "empty.txt is missing"),
        (lambda files: files.pop(SIGNATURE), "is missing"),
        (lambda files: files.pop(MANIFEST), "is missing"),
        (_swap, "is not what was signed"),
        (_write(MANIFEST, b"{}"), "has not the keys"),
        (_write(SIGNATURE, b"00" * 64), "does not fit"),
        (_shouted, "not written as it was"),
    ],
)
def test_every_change_of_files_is_found(
    change: Callable[[dict[str, bytes]], None], says: str
) -> None:
    with pytest.raises(PackError, match=says):
        read_pack(rebuilt(change), key=KEY.public_key())


def test_who_signs_again_with_a_key_of_his_own_is_found_by_the_offices_key() -> None:
    forged = made(Ed25519PrivateKey.generate())
    assert read_pack(forged).fingerprint != read_pack(made()).fingerprint
    with pytest.raises(PackError, match="another key"):
        read_pack(forged, key=KEY.public_key())


@pytest.mark.parametrize("change", [lambda d: d + b"\0", lambda d: b"\0" + d, lambda d: d + d])
def test_nothing_hides_around_the_archive(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(PackError):
        read_pack(change(made()))
