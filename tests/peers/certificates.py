"""Certificates for one test run: self-signed pairs, an authority, and every kind of bad one.

RSA keys take their time, so each is made once and written many times.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FIELD_URI = "urn:gridctl:field"
SERVER_URI = "urn:gridctl:peer:server"
DAY = dt.timedelta(days=1)


@cache
def _key(name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@cache
def certificate(
    name: str, *, uri: str, issuer: str = "", starts_days: float = -1.0, days: float = 2.0
) -> x509.Certificate:
    """The certificate `name`, self-signed or signed by the authority `issuer`."""
    signer = issuer or name
    start = _now() + starts_days * DAY
    public = _key(name).public_key()
    is_authority = not uri
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(signer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + days * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(_key(signer).public_key()),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=not is_authority,
                key_encipherment=not is_authority,
                data_encipherment=not is_authority,
                key_agreement=False,
                key_cert_sign=is_authority or not issuer,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if uri:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]
            ),
            critical=False,
        ).add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
    return builder.sign(_key(signer), hashes.SHA256())


@cache
def revocations(issuer: str, *revoked: x509.Certificate) -> x509.CertificateRevocationList:
    """The authority's list of what it has revoked."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_name(issuer))
        .last_update(_now() - DAY)
        .next_update(_now() + DAY)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(_key(issuer).public_key()),
            critical=False,
        )
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(one.serial_number)
            .revocation_date(_now() - DAY)
            .build()
        )
    return builder.sign(_key(issuer), hashes.SHA256())


def authority(name: str = "authority") -> x509.Certificate:
    """A certificate that signs others."""
    return certificate(name, uri="", days=30.0)


def _owner(made: x509.Certificate) -> str:
    """The name under which the certificate, and so its key, was made."""
    return str(made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def write_pair(folder: Path, name: str, made: x509.Certificate) -> None:
    """`name`.der, `name`.pem.crt and the key `name`.pem (0600) in `folder`."""
    der, pem = serialization.Encoding.DER, serialization.Encoding.PEM
    (folder / f"{name}.der").write_bytes(made.public_bytes(der))
    (folder / f"{name}.pem.crt").write_bytes(made.public_bytes(pem))
    key = folder / f"{name}.pem"
    key.write_bytes(
        _key(_owner(made)).private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key.chmod(0o600)


def write_revocations(folder: Path, name: str, made: x509.CertificateRevocationList) -> None:
    """`name`.crl.der and `name`.crl.pem in `folder`."""
    (folder / f"{name}.crl.der").write_bytes(made.public_bytes(serialization.Encoding.DER))
    (folder / f"{name}.crl.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def write_site(folder: Path, password: str) -> None:
    """What an ordinary link needs: both self-signed pairs and the password's file."""
    folder.mkdir(exist_ok=True)
    write_pair(folder, "server", certificate("server", uri=SERVER_URI))
    write_pair(folder, "field", certificate("field", uri=FIELD_URI))
    secret = folder / "opcua.password"
    secret.write_text(f"{password}\n")
    secret.chmod(0o600)
