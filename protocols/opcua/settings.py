"""What an OPC UA link is told: options of `[[field.links]]`, and the notation of its points.

Everything that a human wrote is judged here, before anything connects: files that are missing,
keys that others can read, a certificate that does not carry the application URI, addresses with a
namespace index instead of a URI. Each is a ConfigError with file, key and hint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gridctl.model.errors import ConfigError
from protocols.driver import LinkSettings, PointAddress

_ADDRESS = re.compile(r"nsu=(?P<uri>[^;]+);(?P<kind>[si])=(?P<id>.+)")
_METHOD = re.compile(r"method:(?P<name>[^\s:][^:]*)")
_LINKS_KEY = "field.links"


class _Options(BaseModel):
    """The keys of an OPC UA link's table; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    security_policy: Literal["Basic256Sha256"]
    certificate: Path
    key: Path
    server_certificate: Path
    application_uri: Annotated[str, Field(min_length=1)]
    user: Annotated[str, Field(min_length=1)]
    password_file: Path
    publishing_ms: Annotated[float, Field(ge=10, le=10_000)]
    heartbeat: str = ""
    timeout_s: Annotated[float, Field(ge=0.2, le=30.0)] = 2.0

    @field_validator("url")
    @classmethod
    def _opc_tcp(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "opc.tcp" or not parts.hostname or parts.port is None:
            raise ValueError("must look like opc.tcp://host:port/path")
        if parts.username is not None:
            raise ValueError("must not carry a user: use `user` and `password_file`")
        return url


_HINTS = {
    "security_policy": 'write security_policy = "Basic256Sha256"; unencrypted links are refused',
    "publishing_ms": "milliseconds between two publish responses, 10 … 10000",
    "timeout_s": "seconds that the server has to answer a request, 0.2 … 30",
    "url": 'for instance url = "opc.tcp://192.0.2.10:4840/server"',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are and whom we talk to, loaded once: no file is read while a link reconnects."""

    certificate: x509.Certificate
    key: RSAPrivateKey
    server_certificate: x509.Certificate
    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaSettings:
    """A link's options, judged. `keepalive_s` is the longest silence of a healthy server:
    KEEPALIVE_COUNT publishing intervals; the link counts as lost after three of them."""

    url: str
    application_uri: str
    credentials: Credentials
    publishing_ms: float
    heartbeat: str
    timeout_s: float

    @property
    def keepalive_s(self) -> float:
        return KEEPALIVE_COUNT * self.publishing_ms / 1000.0


KEEPALIVE_COUNT = 10
"""RequestedMaxKeepAliveCount; asyncua's default gives one keep-alive in 45 min (opcua.md §1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """A node by namespace URI: indices are a server's own and change with its restart."""

    namespace: str
    identifier: str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a point is, and how it is commanded: `method` is a browse name on the parent object,
    "" for a guarded write or a point that takes no command."""

    row: PointAddress
    node: NodeAddress
    commandable: bool
    method: str
    lease: NodeAddress | None


def read_settings(settings: LinkSettings) -> OpcUaSettings:
    """The link's options, files loaded. Raises ConfigError with file, key and hint."""
    try:
        options = _Options.model_validate(dict(settings.options))
    except ValidationError as error:
        raise _invalid(settings, error) from error
    return OpcUaSettings(
        url=options.url,
        application_uri=options.application_uri,
        credentials=_credentials(settings, options),
        publishing_ms=options.publishing_ms,
        heartbeat=options.heartbeat,
        timeout_s=options.timeout_s,
    )


def read_targets(
    settings: LinkSettings, points: Sequence[PointAddress], heartbeat: str
) -> tuple[Target, ...]:
    """The points in OPC UA's notation. Raises ConfigError that names the points file's line."""
    targets = tuple(_target(row) for row in points)
    if heartbeat and heartbeat not in {target.row.point.mrid for target in targets}:
        raise ConfigError(
            f"heartbeat {heartbeat!r} of link {settings.id} is not one of its points",
            file=settings.file,
            key=f"{_LINKS_KEY}.heartbeat",
            hint="name a counter of this link from the points file",
        )
    return targets


def parse_node(text: str) -> NodeAddress | None:
    """`nsu=URI;s=TEXT` or `nsu=URI;i=NUMBER`; None when it is neither."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    if found["kind"] == "s":
        return NodeAddress(namespace=found["uri"], identifier=found["id"])
    if not found["id"].isdecimal():
        return None
    return NodeAddress(namespace=found["uri"], identifier=int(found["id"]))


def _target(row: PointAddress) -> Target:
    node = _node(row, row.address, "address")
    commandable = row.point.kind.commandable
    method = ""
    if commandable and row.command != "write":
        found = _METHOD.fullmatch(row.command)
        if found is None:
            raise ConfigError(
                f"command {row.command!r} is not one that OPC UA has",
                file=row.file,
                key=f"{row.line}:command",
                hint="`write`, or `method:NAME` with a method of the parent object",
            )
        method = found["name"]
    if method and row.lease:
        raise ConfigError(
            "a method carries its lease itself (valid_until)",
            file=row.file,
            key=f"{row.line}:lease",
            hint="leave the cell empty",
        )
    lease = _node(row, row.lease, "lease") if row.lease else None
    return Target(row=row, node=node, commandable=commandable, method=method, lease=lease)


def _node(row: PointAddress, text: str, column: str) -> NodeAddress:
    node = parse_node(text)
    if node is None:
        raise ConfigError(
            f"{text!r} is not an OPC UA node",
            file=row.file,
            key=f"{row.line}:{column}",
            hint="nsu=<namespace URI>;s=<identifier>, for instance "
            "nsu=urn:gridctl:feeder:1;s=BESS01.TotW; a namespace index (ns=) is a server's own",
        )
    return node


def _invalid(settings: LinkSettings, error: ValidationError) -> ConfigError:
    found = error.errors()
    key = ".".join(str(part) for part in found[0]["loc"])
    lines = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found]
    return ConfigError(
        f"link {settings.id}: {'; '.join(lines)}",
        file=settings.file,
        key=f"{_LINKS_KEY}.{key}",
        hint=_HINTS.get(key, f"keys of an opcua link: {', '.join(_Options.model_fields)}"),
    )


def _credentials(settings: LinkSettings, options: _Options) -> Credentials:
    certificate = _certificate(settings, "certificate", options.certificate)
    key = _private_key(settings, options.key)
    if key.public_key() != certificate.public_key():
        raise _unusable(
            settings, "key", options.key, "is not the key of the certificate", "use one pair"
        )
    uris = _application_uris(certificate)
    if options.application_uri not in uris:
        raise _unusable(
            settings,
            "application_uri",
            options.certificate,
            f"carries the application URI {', '.join(uris) or 'none'}",
            "servers refuse a client whose URI is not in its certificate",
        )
    password = _secret(settings, "password_file", options.password_file).decode().rstrip("\r\n")
    if not password:
        raise _unusable(
            settings, "password_file", options.password_file, "is empty", "one line: the password"
        )
    return Credentials(
        certificate=certificate,
        key=key,
        server_certificate=_certificate(settings, "server_certificate", options.server_certificate),
        user=options.user,
        password=password,
    )


def _certificate(settings: LinkSettings, key: str, path: Path) -> x509.Certificate:
    data = _read(settings, key, path)
    try:
        if data.startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise _unusable(
            settings, key, path, "is not an X.509 certificate", "DER or PEM, one certificate"
        ) from error


def _private_key(settings: LinkSettings, path: Path) -> RSAPrivateKey:
    data = _secret(settings, "key", path)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise _unusable(
            settings, "key", path, "is not a private key in PEM", "PKCS #8 PEM, no passphrase"
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise _unusable(settings, "key", path, "is not an RSA key", "Basic256Sha256 needs RSA")
    return key


def _application_uris(certificate: x509.Certificate) -> list[str]:
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return san.get_values_for_type(x509.UniformResourceIdentifier)


def _secret(settings: LinkSettings, key: str, path: Path) -> bytes:
    data = _read(settings, key, path)
    if path.stat().st_mode & 0o077:
        raise _unusable(settings, key, path, "can be read by other users", f"chmod 600 {path}")
    return data


def _read(settings: LinkSettings, key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(
            settings,
            key,
            path,
            f"cannot be read: {error.strerror}",
            "check the path; the server's certificate comes from its operator, by hand",
        ) from error


def _unusable(settings: LinkSettings, key: str, path: Path, message: str, hint: str) -> ConfigError:
    return ConfigError(
        f"link {settings.id}: {path} {message}",
        file=settings.file,
        key=f"{_LINKS_KEY}.{key}",
        hint=hint,
    )
