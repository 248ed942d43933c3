"""Whom we talk to: every kind of certificate against the folder, and the way out of `rejected`."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gridctl.model.errors import ConfigError
from protocols.opcua.trust import REJECTED_MAX, TrustList, thumbprint
from tests.peers.certificates import SERVER_URI, authority, certificate, revocations

NOW_S = dt.datetime.now(tz=dt.UTC).timestamp()
SELF_SIGNED = certificate("server", uri=SERVER_URI)
STRANGER = certificate("stranger", uri=SERVER_URI)
ISSUED = certificate("issued", uri=SERVER_URI, issuer="authority")
REVOKED = certificate("revoked", uri=SERVER_URI, issuer="authority")
EXPIRED = certificate("expired", uri=SERVER_URI, starts_days=-3.0, days=1.0)
NOT_YET = certificate("not-yet", uri=SERVER_URI, starts_days=1.0, days=1.0)
FORGED = certificate("forged", uri=SERVER_URI, issuer="rogue-authority")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TrustList(tmp_path)
    return tmp_path


def put(folder: Path, name: str, *certificates: x509.Certificate) -> None:
    for one in certificates:
        (folder / name / f"{thumbprint(one)}.der").write_bytes(one.public_bytes(Encoding.DER))


def put_revocations(folder: Path, *revoked: x509.Certificate) -> None:
    made = revocations("authority", *revoked)
    (folder / "revocations" / "authority.crl").write_bytes(made.public_bytes(Encoding.DER))


def judged(folder: Path, one: x509.Certificate, uri: str = SERVER_URI) -> str | None:
    return TrustList(folder).judge(one, pinned=None, application_uri=uri, now_s=NOW_S)


def test_only_what_lies_in_trusted_is_trusted(folder: Path) -> None:
    put(folder, "trusted", SELF_SIGNED)
    put(folder, "issuers", STRANGER)
    put(folder, "rejected", STRANGER)
    assert judged(folder, SELF_SIGNED) is None
    assert judged(folder, STRANGER) == "BadCertificateUntrusted"


def test_pinned_certificate_is_one_more_trusted_one(folder: Path) -> None:
    trust = TrustList(folder)
    for pinned, verdict in ((SELF_SIGNED, None), (STRANGER, "BadCertificateUntrusted")):
        found = trust.judge(SELF_SIGNED, pinned=pinned, application_uri=SERVER_URI, now_s=NOW_S)
        assert found == verdict


@pytest.mark.parametrize("one", [EXPIRED, NOT_YET])
def test_trusted_but_out_of_its_time(folder: Path, one: x509.Certificate) -> None:
    put(folder, "trusted", one)
    assert judged(folder, one) == "BadCertificateTimeInvalid"


def test_authority_vouches_for_what_it_signed_and_has_not_revoked(folder: Path) -> None:
    put(folder, "trusted", authority())
    put_revocations(folder, REVOKED)
    assert judged(folder, ISSUED) is None
    assert judged(folder, REVOKED) == "BadCertificateRevoked"
    assert judged(folder, FORGED) == "BadCertificateUntrusted"


def test_authority_in_issuers_completes_a_chain_but_is_not_trusted(folder: Path) -> None:
    put(folder, "issuers", authority())
    put_revocations(folder)
    assert judged(folder, ISSUED) == "BadCertificateUntrusted"
    put(folder, "trusted", ISSUED)
    assert judged(folder, ISSUED) is None


def test_authority_without_its_list_is_refused(folder: Path) -> None:
    put(folder, "trusted", authority())
    assert judged(folder, ISSUED) == "BadCertificateRevocationUnknown"


def test_list_that_the_authority_did_not_sign_counts_for_nothing(folder: Path) -> None:
    put(folder, "trusted", authority())
    false = revocations("rogue-authority")
    data = false.public_bytes(Encoding.DER)
    (folder / "revocations" / "false.crl").write_bytes(data)
    assert judged(folder, ISSUED) == "BadCertificateRevocationUnknown"


def test_revoked_is_refused_even_when_a_person_trusted_it(folder: Path) -> None:
    put(folder, "trusted", authority(), REVOKED)
    put_revocations(folder, REVOKED)
    assert judged(folder, REVOKED) == "BadCertificateRevoked"


def test_certificate_that_is_no_authority_vouches_for_nobody(folder: Path) -> None:
    false = certificate("under-a-leaf", uri=SERVER_URI, issuer="server")
    put(folder, "trusted", SELF_SIGNED)
    assert judged(folder, false) == "BadCertificateUntrusted"


def test_server_must_be_the_application_that_it_says(folder: Path) -> None:
    put(folder, "trusted", SELF_SIGNED)
    assert judged(folder, SELF_SIGNED, "urn:somebody:else") == "BadCertificateUriInvalid"


def test_stray_files_are_named_and_harm_nothing(folder: Path) -> None:
    put(folder, "trusted", SELF_SIGNED)
    (folder / "trusted" / "server.key.pem").write_text("-----BEGIN PRIVATE KEY-----\nrubbish\n")
    (folder / "trusted" / "notes.txt").write_text("ask the vendor")
    (folder / "revocations" / "rubbish.crl").write_bytes(os.urandom(100))
    trust = TrustList(folder)
    found = trust.judge(SELF_SIGNED, pinned=None, application_uri=SERVER_URI, now_s=NOW_S)
    assert found is None
    assert trust.unreadable == ("trusted/server.key.pem", "revocations/rubbish.crl")


def test_person_accepts_by_thumbprint_and_takes_it_back(folder: Path) -> None:
    trust = TrustList(folder)
    trust.remember(STRANGER)
    trust.remember(STRANGER)
    (entry,) = trust.entries()
    assert (entry.standing, entry.thumbprint) == ("rejected", thumbprint(STRANGER))
    assert entry.application_uri == SERVER_URI
    spoken = ":".join(entry.thumbprint[i : i + 2].lower() for i in range(0, 40, 2))
    assert trust.accept(spoken).standing == "trusted"
    assert [one.standing for one in trust.entries()] == ["trusted"]
    assert judged(folder, STRANGER) is None
    trust.reject(entry.thumbprint)
    assert [one.standing for one in trust.entries()] == ["rejected"]
    assert judged(folder, STRANGER) == "BadCertificateUntrusted"


@pytest.mark.parametrize("wrong", ["", "ABCD", "G" * 40, "../trusted/x", "A" * 39])
def test_half_a_thumbprint_is_none(folder: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match="no thumbprint"):
        TrustList(folder).accept(wrong)


def test_unknown_thumbprint_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no rejected certificate"):
        TrustList(folder).accept("A" * 40)


def test_rejected_folder_is_bounded(folder: Path) -> None:
    for number in range(REJECTED_MAX + 5):
        path = folder / "rejected" / f"{number:040d}.der"
        path.write_bytes(b"x")
        os.utime(path, (number, number))
    TrustList(folder).remember(STRANGER)
    left = sorted(path.name for path in (folder / "rejected").iterdir())
    assert len(left) == REJECTED_MAX
    assert f"{thumbprint(STRANGER)}.der" in left
    assert f"{0:040d}.der" not in left


def test_folder_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="trust list cannot be made"):
        TrustList(tmp_path / "file")
