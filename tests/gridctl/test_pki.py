"""Keys and certificates: what other stacks ask for is in them, and nobody else can read them."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from gridctl.model.errors import ConfigError
from gridctl.pki import (
    load_private_ed25519,
    load_public_ed25519,
    make_application_certificate,
    make_office_keys,
)

NOW_S = 1_790_000_000.0


def make(folder: Path, name: str = "app.der") -> tuple[Path, Path]:
    certificate, key = folder / "pki" / name, folder / "secrets" / "app.pem"
    make_application_certificate(
        certificate=certificate,
        key=key,
        common_name="gridctl field",
        application_uri="urn:gridctl:field",
        hosts=("localhost", "127.0.0.1"),
        now_s=NOW_S,
        days=30,
    )
    return certificate, key


def test_certificate_says_what_opc_ua_stacks_check(tmp_path: Path) -> None:
    certificate, key = make(tmp_path)
    loaded = x509.load_der_x509_certificate(certificate.read_bytes())
    san = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:gridctl:field"]
    assert san.get_values_for_type(x509.DNSName) == ["localhost"]
    assert san.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    usage = loaded.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert usage.key_encipherment
    assert usage.data_encipherment
    extended = loaded.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert loaded.not_valid_before_utc.timestamp() == NOW_S - 3600.0
    assert loaded.not_valid_after_utc.timestamp() == NOW_S + 30 * 86_400
    private = load_pem_private_key(key.read_bytes(), password=None)
    assert private.public_key() == loaded.public_key()
    loaded.verify_directly_issued_by(loaded)


def test_pem_when_the_name_is_not_der(tmp_path: Path) -> None:
    certificate, _ = make(tmp_path, "app.pem")
    assert certificate.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_private_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    _, key = make(tmp_path)
    make_office_keys(private=tmp_path / "office.key", public=tmp_path / "office.pub")
    assert key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "office.key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    _, key = make(tmp_path)
    before = key.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten") as caught:
        make(tmp_path)
    assert caught.value.file == str(key)
    assert key.read_bytes() == before


def test_office_keys_sign_and_verify(tmp_path: Path) -> None:
    private, public = tmp_path / "office.key", tmp_path / "office.pub"
    make_office_keys(private=private, public=public)
    signature = load_private_ed25519(private).sign(b"order")
    load_public_ed25519(public).verify(signature, b"order")


def test_missing_key_names_the_file_and_a_hint(tmp_path: Path) -> None:
    for load in (load_private_ed25519, load_public_ed25519):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / "none.key")
        assert caught.value.file.endswith("none.key")
        assert caught.value.hint


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    private = tmp_path / "office.key"
    make_office_keys(private=private, public=tmp_path / "office.pub")
    private.chmod(0o644)
    with pytest.raises(ConfigError, match="other users") as caught:
        load_private_ed25519(private)
    assert "chmod 600" in caught.value.hint


def test_other_kinds_of_key_are_refused(tmp_path: Path) -> None:
    _, rsa = make(tmp_path)
    with pytest.raises(ConfigError, match="Ed25519"):
        load_private_ed25519(rsa)
    rubbish = tmp_path / "rubbish.pub"
    rubbish.write_text("not a key")
    with pytest.raises(ConfigError, match="Ed25519"):
        load_public_ed25519(rubbish)
