"""Who we are and whom we pin: the files of a link, loaded once before anything connects.

No file of these is read while a link reconnects; only the trust list is (`trust.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gridctl.model.errors import ConfigError
from protocols.driver import LinkSettings
from protocols.opcua.trust import application_uris, load_certificate

LINKS_KEY = "field.links"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a session is opened with. `application` is None on an unencrypted link; then there is
    no user either. `pinned`: a server's certificate that came by hand. The user is known by
    `password` or by `user_pair`."""

    application: Pair | None
    pinned: x509.Certificate | None
    user: str
    password: str
    user_pair: Pair | None


def unusable(
    settings: LinkSettings, key: str, path: Path | None, message: str, hint: str
) -> ConfigError:
    """An error about option `key` of the link, telling the file that it names."""
    where = "" if path is None else f" {path}"
    return ConfigError(
        f"link {settings.id}:{where} {message}",
        file=settings.file,
        key=f"{LINKS_KEY}.{key}",
        hint=hint,
    )


def load_pair(
    settings: LinkSettings, certificate_key: str, certificate: Path, key_key: str, key: Path
) -> Pair:
    """The pair in two files. Raises ConfigError naming the option and the file."""
    loaded = load_public(settings, certificate_key, certificate)
    private = _private_key(settings, key_key, key)
    if private.public_key() != loaded.public_key():
        raise unusable(settings, key_key, key, "is not the key of the certificate", "use one pair")
    return Pair(certificate=loaded, key=private)


def check_application_uri(settings: LinkSettings, pair: Pair, path: Path, uri: str) -> None:
    """Raises ConfigError unless the certificate speaks for `uri`."""
    uris = application_uris(pair.certificate)
    if uri not in uris:
        raise unusable(
            settings,
            "application_uri",
            path,
            f"carries the application URI {', '.join(uris) or 'none'}",
            "servers refuse a client whose URI is not in its certificate",
        )


def load_public(settings: LinkSettings, key: str, path: Path) -> x509.Certificate:
    """A certificate in DER or PEM. Raises ConfigError."""
    data = _read(settings, key, path)
    try:
        return load_certificate(data)
    except ValueError as error:
        raise unusable(
            settings, key, path, "is not an X.509 certificate", "DER or PEM, one certificate"
        ) from error


def load_password(settings: LinkSettings, path: Path) -> str:
    """The one line of the password's file. Raises ConfigError."""
    password = _secret(settings, "password_file", path).decode().rstrip("\r\n")
    if not password:
        raise unusable(settings, "password_file", path, "is empty", "one line: the password")
    return password


def _private_key(settings: LinkSettings, key: str, path: Path) -> RSAPrivateKey:
    data = _secret(settings, key, path)
    try:
        loaded = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise unusable(
            settings, key, path, "is not a private key in PEM", "PKCS #8 PEM, no passphrase"
        ) from error
    if not isinstance(loaded, RSAPrivateKey):
        raise unusable(settings, key, path, "is not an RSA key", "the three policies need RSA")
    return loaded


def _secret(settings: LinkSettings, key: str, path: Path) -> bytes:
    data = _read(settings, key, path)
    if path.stat().st_mode & 0o077:
        raise unusable(settings, key, path, "can be read by other users", f"chmod 600 {path}")
    return data


def _read(settings: LinkSettings, key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unusable(
            settings,
            key,
            path,
            f"cannot be read: {error.strerror}",
            "check the path; the server's certificate comes from its operator, by hand",
        ) from error
