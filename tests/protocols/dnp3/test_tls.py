"""TLS on the host's OpenSSL: both sides shown, the device's name pinned, expiry told (G9)."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gridctl.model.errors import ConfigError
from protocols.dnp3.fragments import Fragment
from protocols.dnp3.settings import read_settings
from tests.protocols.dnp3.scripted import (
    Answer,
    Outstation,
    analogs,
    answer,
    bench_of,
    classes,
    row,
    settings,
)


@dataclass
class Authority:
    """A CA of a test: `issue` writes NAME.pem and NAME.key into its folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA {self.folder.name}")])
        self.ca = self.folder / "ca.pem"
        self.folder.mkdir(exist_ok=True)
        signed = self._builder(self.name, self.key, 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._write(self.ca, signed.sign(self.key, hashes.SHA256()))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
        )

    @staticmethod
    def _write(file: Path, signed: x509.Certificate) -> None:
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, days: float = 60.0, san: str | None = None) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, days)
        if san is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(san)]), critical=False
            )
        certificate, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._write(certificate, builder.sign(self.key, hashes.SHA256()))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        private.chmod(0o600)
        return certificate, private


def device_context(pair: tuple[Path, Path], ca: Path, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.load_verify_locations(cafile=ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    return context


def steady(request: Fragment) -> Answer:
    return answer(request, analogs(1.5) if 0 in classes(request) else b"")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


def options(authority: Authority, pair: tuple[Path, Path], name: str) -> dict[str, str]:
    return {
        "ca": str(authority.ca),
        "certificate": str(pair[0]),
        "key": str(pair[1]),
        "tls_name": name,
    }


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("san", ["rtu.example", None])
async def test_values_come_over_mutual_tls(
    authority: Authority, version: ssl.TLSVersion, san: str | None
) -> None:
    context = device_context(authority.issue("rtu.example", san=san), authority.ca, version)
    master = authority.issue("master", days=10.0)
    async with bench_of(
        Outstation(script=steady, context=context),
        [row(0)],
        **options(authority, master, "rtu.example"),
    ) as bench:
        await bench.up()
        assert await bench.until(lambda: "P30.0" in bench.latest)
        until_s = bench.driver.health().certificate_expires_s
        assert until_s == pytest.approx(time.time() + 10 * 86_400, abs=3_600)


@pytest.mark.parametrize(
    ("issued", "pinned", "days", "stranger", "told"),
    [
        ("other.example", "rtu.example", 60.0, False, "not accepted: Hostname mismatch"),
        ("rtu.example", "rtu.example", -1.0, False, "not accepted: certificate has expired"),
        ("rtu.example", "rtu.example", 60.0, True, "not accepted: unable to get local issuer"),
    ],
)
async def test_a_device_that_is_not_the_one_is_refused(
    authority: Authority,
    tmp_path: Path,
    *,
    issued: str,
    pinned: str,
    days: float,
    stranger: bool,
    told: str,
) -> None:
    signer = Authority(tmp_path / "theirs") if stranger else authority
    pair = signer.issue(issued, days=days, san=issued)
    outstation = Outstation(
        script=steady, context=device_context(pair, authority.ca, ssl.TLSVersion.TLSv1_3)
    )
    master = authority.issue("master")
    async with bench_of(outstation, [row(0)], **options(authority, master, pinned)) as bench:
        assert await bench.until(lambda: told in bench.driver.health().last_error)
        assert outstation.asked == []
        assert bench.driver.health().state != "up"


async def test_a_master_that_the_device_rejects_backs_off(
    authority: Authority, tmp_path: Path
) -> None:
    context = device_context(
        authority.issue("rtu", san="rtu"), authority.ca, ssl.TLSVersion.TLSv1_3
    )
    stranger = Authority(tmp_path / "theirs").issue("master")
    outstation = Outstation(script=steady, context=context)
    async with bench_of(outstation, [row(0)], **options(authority, stranger, "rtu")) as bench:
        await bench.pump(2.5)
        assert bench.driver.health().state != "up"
        assert 1 <= bench.driver.health().retries <= 6


def test_half_a_tls_table_is_refused(authority: Authority) -> None:
    pair = authority.issue("master")
    whole = options(authority, pair, "rtu")
    assert read_settings(settings(20_000, **whole)).tls is not None
    for key in whole:
        rest = {k: v for k, v in whole.items() if k != key}
        with pytest.raises(ConfigError, match=f"{key} is missing"):
            read_settings(settings(20_000, **rest))
    pair[1].chmod(0o644)
    with pytest.raises(ConfigError, match="other users"):
        read_settings(settings(20_000, **whole))
