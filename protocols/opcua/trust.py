"""Which servers are trusted: a folder that a person can read, and the judgement of a certificate.

    trusted/       certificates of servers, or of authorities whose servers are all trusted
    issuers/       certificates of authorities that complete a chain and are trusted for nothing
    revocations/   revocation lists (CRL) of the authorities
    rejected/      what was shown to us and refused, newest REJECTED_MAX, waiting for a person

The checks and their names are those of OPC 10000-4 §6.1.3. A server becomes trusted by a person who
compares the thumbprint with the one that the server's own engineer reads out, never by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from gridctl.model.errors import ConfigError

FOLDERS: Final = ("trusted", "issuers", "revocations", "rejected")
REJECTED_MAX: Final = 50
_FILES_MAX: Final = 1_000
_BYTES_MAX: Final = 256 * 1024
_CHAIN_MAX: Final = 4
_RSA_BITS: Final = range(2048, 4097)
_THUMBPRINT = re.compile(r"[0-9A-F]{40}")
T = TypeVar("T")
_SUFFIXES: Final = frozenset({".der", ".pem", ".crt", ".cer", ".crl"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One certificate in the folder. `standing`: trusted, issuer, rejected. Times: UTC seconds."""

    thumbprint: str
    standing: str
    subject: str
    application_uri: str
    valid_from_s: float
    valid_until_s: float
    sha256: str


@dataclass(slots=True)
class _Content:
    trusted: list[x509.Certificate] = field(default_factory=list)
    issuers: list[x509.Certificate] = field(default_factory=list)
    revocations: list[x509.CertificateRevocationList] = field(default_factory=list)


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate in capitals: what OPC UA tools of all makes show people."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303


def expires_s(certificate: x509.Certificate) -> float:
    """End of validity, UTC seconds."""
    return certificate.not_valid_after_utc.timestamp()


class TrustList:
    """The folder at `folder`; read anew at each judgement, so that an accepted certificate works
    at the next attempt. Raises ConfigError when the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.unreadable: tuple[str, ...] = ()
        """Files that are neither certificate nor revocation list, found by the last reading."""
        try:
            for name in FOLDERS:
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"trust list cannot be made: {error.strerror}",
                file=str(folder),
                hint="the field agent writes rejected certificates there",
            ) from error

    def judge(
        self,
        certificate: x509.Certificate,
        *,
        pinned: x509.Certificate | None,
        application_uri: str,
        now_s: float,
        issuers: Sequence[x509.Certificate] = (),
    ) -> str | None:
        """None when the server may be talked to, else the status that says why not.

        `pinned` counts as one more trusted certificate, `issuers` came along with the certificate
        and may complete a chain; `now_s` in UTC seconds.
        """
        content = self._read()
        if pinned is not None:
            content.trusted.append(pinned)
        return judge(
            certificate,
            trusted=content.trusted,
            issuers=[*content.issuers, *issuers],
            revocations=content.revocations,
            application_uri=application_uri,
            now_s=now_s,
        )

    def remember(self, certificate: x509.Certificate) -> None:
        """Keep a refused certificate for a person to look at; the oldest make room."""
        target = self._folder / "rejected" / f"{thumbprint(certificate)}.der"
        if target.exists():
            return
        kept = sorted(target.parent.glob("*.der"), key=lambda path: path.stat().st_mtime)
        for old in kept[: max(0, len(kept) - REJECTED_MAX + 1)]:
            old.unlink(missing_ok=True)
        target.write_bytes(certificate.public_bytes(serialization.Encoding.DER))

    def entries(self) -> tuple[Entry, ...]:
        """Every certificate in the folder, trusted first."""
        return tuple(
            entry_of(certificate, standing)
            for name, standing in (
                ("trusted", "trusted"),
                ("issuers", "issuer"),
                ("rejected", "rejected"),
            )
            for _, certificate in self._certificates(name, [])
        )

    def accept(self, wanted: str) -> Entry:
        """Trust the rejected certificate with this thumbprint from now on. Raises ConfigError."""
        return self._move(wanted, "rejected", "trusted")

    def reject(self, wanted: str) -> Entry:
        """Trust this certificate no longer. Raises ConfigError when it is not trusted now."""
        return self._move(wanted, "trusted", "rejected")

    def _move(self, wanted: str, source: str, target: str) -> Entry:
        name = re.sub(r"[\s:]", "", wanted).upper()
        if not _THUMBPRINT.fullmatch(name):
            raise ConfigError(
                f"{wanted!r} is no thumbprint",
                file=str(self._folder),
                hint="all 40 hexadecimal digits, as `gridctl opcua trust list` shows them",
            )
        for path, certificate in self._certificates(source, []):
            if thumbprint(certificate) == name:
                data = certificate.public_bytes(serialization.Encoding.DER)
                (self._folder / target / f"{name}.der").write_bytes(data)
                path.unlink()
                return entry_of(certificate, target)
        raise ConfigError(
            f"no {source} certificate has the thumbprint {name}",
            file=str(self._folder / source),
            hint="`gridctl opcua trust list` shows which there are",
        )

    def _read(self) -> _Content:
        bad: list[str] = []
        content = _Content(
            trusted=[one for _, one in self._certificates("trusted", bad)],
            issuers=[one for _, one in self._certificates("issuers", bad)],
            revocations=[one for _, one in self._files("revocations", _load_revocations, bad)],
        )
        self.unreadable = tuple(bad)
        return content

    def _certificates(self, name: str, bad: list[str]) -> Iterator[tuple[Path, x509.Certificate]]:
        return self._files(name, load_certificate, bad)

    def _files(
        self, name: str, load: Callable[[bytes], T], bad: list[str]
    ) -> Iterator[tuple[Path, T]]:
        """What `load` makes of each file; a file that it cannot read is named, never fatal."""
        for path in sorted((self._folder / name).iterdir())[:_FILES_MAX]:
            if path.suffix.lower() not in _SUFFIXES:
                continue
            try:
                with path.open("rb") as file:
                    yield path, load(file.read(_BYTES_MAX))
            except (OSError, ValueError):
                bad.append(f"{name}/{path.name}")


def judge(
    certificate: x509.Certificate,
    *,
    trusted: Sequence[x509.Certificate],
    issuers: Sequence[x509.Certificate],
    revocations: Sequence[x509.CertificateRevocationList],
    application_uri: str,
    now_s: float,
) -> str | None:
    """The status that refuses `certificate` as a server's, None for one that holds."""
    chain = _chain(certificate, [*trusted, *issuers])
    if chain is None and certificate in trusted:
        chain = [certificate]  # a person vouches for this very one; nobody else has to
    if chain is None:
        return "BadCertificateUntrusted"
    if not any(one in trusted for one in chain):
        return "BadCertificateUntrusted"
    for one in chain:
        fault = _fault(one, now_s)
        if fault is not None:
            return fault
    if application_uri not in application_uris(certificate):
        return "BadCertificateUriInvalid"
    if not _may_be_server(certificate):
        return "BadCertificateUseNotAllowed"
    return _revoked(chain, revocations, vouched=certificate in trusted)


def load_certificate(data: bytes) -> x509.Certificate:
    """PEM or DER. Raises ValueError."""
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)


def application_uris(certificate: x509.Certificate) -> list[str]:
    """The application URIs that the certificate speaks for."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return san.get_values_for_type(x509.UniformResourceIdentifier)


def _load_revocations(data: bytes) -> x509.CertificateRevocationList:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def _chain(
    certificate: x509.Certificate, authorities: Sequence[x509.Certificate]
) -> list[x509.Certificate] | None:
    """From `certificate` to its root, every signature checked; None when a link is missing."""
    chain = [certificate]
    while chain[-1].issuer != chain[-1].subject:
        issuer = next((one for one in authorities if _signs(one, chain[-1])), None)
        if issuer is None or len(chain) >= _CHAIN_MAX:
            return None
        chain.append(issuer)
    return chain if _signature_holds(chain[-1], chain[-1]) else None


def _signs(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    if authority.subject != certificate.issuer:
        return False
    try:
        basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return basic.ca and _signature_holds(authority, certificate)


def _signature_holds(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _fault(certificate: x509.Certificate, now_s: float) -> str | None:
    """What is wrong with a certificate by itself: its time, its key, its signature's hash."""
    now = datetime.fromtimestamp(now_s, tz=UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "BadCertificateTimeInvalid"
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size not in _RSA_BITS:
        return "BadCertificatePolicyCheckFailed"
    hashed = certificate.signature_hash_algorithm
    if hashed is None or hashed.digest_size < hashes.SHA256.digest_size:
        return "BadCertificatePolicyCheckFailed"
    return None


def _may_be_server(certificate: x509.Certificate) -> bool:
    """Its usages, where it names any, let it be a server's (OPC 10000-6 §6.2.2)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in extended


def _revoked(
    chain: Sequence[x509.Certificate],
    revocations: Sequence[x509.CertificateRevocationList],
    *,
    vouched: bool,
) -> str | None:
    """An authority without its list is refused, unless a person vouches for this very one."""
    for certificate, issuer in pairwise(chain):
        lists = [
            one for one in revocations if one.issuer == issuer.subject and _list_holds(one, issuer)
        ]
        if not lists and not vouched:
            return "BadCertificateRevocationUnknown"
        serial = certificate.serial_number
        if any(one.get_revoked_certificate_by_serial_number(serial) for one in lists):
            return "BadCertificateRevoked"
    return None


def _list_holds(revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(key, RSAPublicKey) and revocations.is_signature_valid(key)


def entry_of(certificate: x509.Certificate, standing: str) -> Entry:
    """What a person is shown of a certificate."""
    return Entry(
        thumbprint=thumbprint(certificate),
        standing=standing,
        subject=certificate.subject.rfc4514_string(),
        application_uri=", ".join(application_uris(certificate)),
        valid_from_s=certificate.not_valid_before_utc.timestamp(),
        valid_until_s=expires_s(certificate),
        sha256=certificate.fingerprint(hashes.SHA256()).hex().upper(),
    )
