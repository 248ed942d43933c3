"""The evidence pack: a zip whose every octet is vouched for, checked without gridctl's database.

`manifest.json` names each file with size and SHA-256, `manifest.sig` is the office's Ed25519
signature of it. Files are stored, not compressed, in the order of their names and without times:
the same contents are the same octets. `check_pack` builds the archive again from what it read and
compares, so that nothing can be put between, behind or in front of the files either.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gridctl.model.canonical import canonical_json

FORMAT: Final = "gridctl evidence 1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
PACK_BYTES_MAX: Final = 512 * 1024 * 1024
FILES_MAX: Final = 20_000
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3
_DOMAIN: Final = b"gridctl evidence manifest\n"
"""In front of what is signed: the same key signs orders, and neither may pass for the other."""


_BROKEN: Final = (
    zipfile.BadZipFile,
    OSError,
    ValueError,
    RuntimeError,
    EOFError,
    KeyError,
    OverflowError,
    struct.error,
)
"""What the zip reader says to octets that are no archive."""


class PackError(ValueError):
    """The pack is not what the office signed; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack whose signature, hashes and octets are right. `fingerprint`: of the key that signed.

    `files` without manifest and signature. `absent`: what should be there and is not, with why.
    """

    about: str
    plans: tuple[str, ...]
    made_at_s: float
    made_by: str
    version: str
    fingerprint: str
    files: Mapping[str, bytes]
    absent: Mapping[str, str]

    def json(self, name: str) -> Any:
        """A JSON file of the pack. Raises PackError when it is not there or no JSON."""
        try:
            return json.loads(self.files[name])
        except KeyError:
            raise PackError(f"{name} is missing") from None
        except ValueError as error:
            raise PackError(f"{name} is not JSON: {error}") from None


def fingerprint_of(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, hexadecimal: what people compare by telephone."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def write_pack(
    files: Mapping[str, bytes],
    *,
    about: str,
    plans: tuple[str, ...],
    made_at_s: float,
    made_by: str,
    version: str,
    absent: Mapping[str, str],
    key: Ed25519PrivateKey,
) -> bytes:
    """The archive. `made_at_s` in grid time. Raises ValueError for names that clash."""
    if clash := {MANIFEST, SIGNATURE} & files.keys():
        raise ValueError(f"{sorted(clash)[0]} is written by the pack itself")
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    manifest = canonical_json(
        {
            "format": FORMAT,
            "about": about,
            "plans": plans,
            "made_at_s": made_at_s,
            "made_by": made_by,
            "gridctl": version,
            "public_key": public.hex(),
            "absent": dict(absent),
            "files": {
                name: {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
                for name, body in files.items()
            },
        }
    )
    signature = key.sign(_DOMAIN + manifest).hex().encode()
    return _archive({**files, MANIFEST: manifest, SIGNATURE: signature})


def read_pack(data: bytes, *, key: Ed25519PublicKey | None = None) -> Pack:
    """Check every octet of a pack. `key`: the office's, when it is known; else the one that the
    pack names, which proves that nothing was changed since, not who made it.

    Raises PackError with the first fault.
    """
    contents = _contents(data)
    manifest, signature = contents.pop(MANIFEST, None), contents.pop(SIGNATURE, None)
    if manifest is None or signature is None:
        raise PackError(f"{MANIFEST} or {SIGNATURE} is missing")
    said = _manifest(manifest)
    signer = _signer(said, key)
    try:
        signed = bytes.fromhex(signature.decode("ascii"))
        signer.verify(signed, _DOMAIN + manifest)
    except (InvalidSignature, ValueError):
        raise PackError("the signature does not fit the manifest") from None
    if signed.hex().encode() != signature:
        raise PackError("the signature is not written as it was")
    _compare(said["files"], contents)
    if _archive({**contents, MANIFEST: manifest, SIGNATURE: signature}) != data:
        raise PackError("the archive has octets that belong to none of its files")
    return Pack(
        about=said["about"],
        plans=tuple(said["plans"]),
        made_at_s=said["made_at_s"],
        made_by=said["made_by"],
        version=said["gridctl"],
        fingerprint=fingerprint_of(signer),
        files=contents,
        absent=said["absent"],
    )


def _archive(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_DATE)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            archive.writestr(entry, files[name])
    return out.getvalue()


def _contents(data: bytes) -> dict[str, bytes]:
    if len(data) > PACK_BYTES_MAX:
        raise PackError(f"larger than {PACK_BYTES_MAX} octets")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > FILES_MAX:
                raise PackError(f"more than {FILES_MAX} files")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise PackError("the archive is compressed: it is not as it was written")
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise PackError("a file is there twice")
            return {entry.filename: archive.read(entry) for entry in entries}
    except PackError:
        raise
    except _BROKEN as error:
        raise PackError(f"no whole zip archive: {str(error) or type(error).__name__}") from None


_KEYS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "format": str,
    "about": str,
    "plans": list,
    "made_at_s": (int, float),
    "made_by": str,
    "gridctl": str,
    "public_key": str,
    "absent": dict,
    "files": dict,
}


def _manifest(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise PackError(f"{MANIFEST} is not JSON: {error}") from None
    if not isinstance(said, dict) or said.keys() != _KEYS.keys():
        raise PackError(f"{MANIFEST} has not the keys of {FORMAT!r}")
    for name, kind in _KEYS.items():
        if not isinstance(said[name], kind):
            raise PackError(f"{MANIFEST}: {name} has the wrong type")
    if said["format"] != FORMAT:
        raise PackError(f"format {said['format']!r}, this gridctl reads {FORMAT!r}")
    return said


def _signer(said: Mapping[str, Any], key: Ed25519PublicKey | None) -> Ed25519PublicKey:
    try:
        named = Ed25519PublicKey.from_public_bytes(bytes.fromhex(said["public_key"]))
    except ValueError:
        raise PackError(f"{MANIFEST}: public_key is no Ed25519 key") from None
    if key is not None and fingerprint_of(key) != fingerprint_of(named):
        raise PackError("signed with another key than the office's")
    return named


def _compare(said: Mapping[str, Any], found: Mapping[str, bytes]) -> None:
    for name in sorted(said.keys() | found.keys()):
        if name not in found:
            raise PackError(f"{name} is missing")
        if name not in said:
            raise PackError(f"{name} does not belong here")
        body = found[name]
        expected = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        if said[name] != expected:
            raise PackError(f"{name} is not what was signed")
