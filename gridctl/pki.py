"""Key pairs and certificates that an instance needs, and the loading of its office keys.

Made here are self-signed *application instance certificates* for OPC UA (OPC 10000-6 §6.2.2: the
application URI and the host names in the subject alternative name, the usages that Basic256Sha256
needs) and the Ed25519 pair with which the office signs its orders. Private keys are written once,
mode 0600, and never overwritten: who wants a new one moves the old one away first.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gridctl.model.errors import ConfigError

_RSA_BITS = 2048  # Basic256Sha256 allows 2048 … 4096 (OPC 10000-7)
_SKEW = timedelta(hours=1)  # so that a peer whose clock is slow still accepts a new certificate
_PRIVATE_MODE = 0o600
_PUBLIC_MODE = 0o644


def make_application_certificate(
    *,
    certificate: Path,
    key: Path,
    common_name: str,
    application_uri: str,
    hosts: Sequence[str],
    now_s: float,
    days: int,
) -> None:
    """Write a new RSA key (PEM, PKCS #8, 0600) and its self-signed certificate.

    `certificate` is written as DER when its name ends in `.der`, else as PEM. `hosts` are DNS names
    or IP addresses. Valid from an hour before `now_s` (real UTC seconds) for `days` days. Usages
    as open62541, node-opcua and UA-.NET write them into self-signed certificates, for client and
    server alike. Raises ConfigError when a file is there already or cannot be written.
    """
    private = generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    signed = _self_signed(
        private,
        common_name=common_name,
        application_uri=application_uri,
        hosts=hosts,
        now=datetime.fromtimestamp(now_s, tz=UTC),
        days=days,
    )
    encoding = (
        serialization.Encoding.DER if certificate.suffix == ".der" else serialization.Encoding.PEM
    )
    _write_new(key, _private_pem(private), _PRIVATE_MODE)
    _write_new(certificate, signed.public_bytes(encoding), _PUBLIC_MODE)


def make_office_keys(*, private: Path, public: Path) -> None:
    """Write a new Ed25519 pair: `private` as PEM PKCS #8 with mode 0600, `public` as PEM.

    Raises ConfigError when a file is there already or cannot be written.
    """
    pair = Ed25519PrivateKey.generate()
    _write_new(private, _private_pem(pair), _PRIVATE_MODE)
    public_pem = pair.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write_new(public, public_pem, _PUBLIC_MODE)


def load_private_ed25519(path: Path) -> Ed25519PrivateKey:
    """The office's signing key.

    Raises ConfigError when the file is missing, readable by others, or not an Ed25519 key.
    """
    data = _read(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError(
            "private key can be read by other users",
            file=str(path),
            hint=f"chmod 600 {path}",
        )
    try:
        loaded = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise _not_a_key(path, "private", error) from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise _not_a_key(path, "private", TypeError(type(loaded).__name__))
    return loaded


def load_public_ed25519(path: Path) -> Ed25519PublicKey:
    """The key with which the field checks the office's orders.

    Raises ConfigError when the file is missing or not an Ed25519 public key.
    """
    try:
        loaded = serialization.load_pem_public_key(_read(path))
    except (ValueError, TypeError) as error:
        raise _not_a_key(path, "public", error) from error
    if not isinstance(loaded, Ed25519PublicKey):
        raise _not_a_key(path, "public", TypeError(type(loaded).__name__))
    return loaded


def _self_signed(
    private: RSAPrivateKey,
    *,
    common_name: str,
    application_uri: str,
    hosts: Sequence[str],
    now: datetime,
    days: int,
) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "gridctl"),
        ]
    )
    public = private.public_key()
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(application_uri)]
    names += [_host_name(host) for host in hosts]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # it signs itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    both_ends = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(both_ends, critical=False)
    )
    return builder.sign(private, hashes.SHA256())


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_pem(key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Create `path` with `mode` from its first byte on: no moment in which others could read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise ConfigError(
            "file is there already and keys are never overwritten",
            file=str(path),
            hint="move the old file away first, and give the new certificate to every peer",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}",
            file=str(path),
            hint="check the folder's owner and free space",
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"key cannot be read: {error.strerror}",
            file=str(path),
            hint="check the path in gridctl.toml and the file's owner; "
            "`gridctl demo` writes a whole new instance",
        ) from error


def _not_a_key(path: Path, which: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"not an Ed25519 {which} key in PEM ({error})",
        file=str(path),
        hint="make a new pair, or restore the file from the backup",
    )
