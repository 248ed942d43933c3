"""`gridctl opcua trust`: what a person sees and decides, on the folder that the driver reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app
from protocols.opcua.trust import TrustList, thumbprint
from tests.peers.certificates import SERVER_URI, certificate
from tests.pilot import make_pilot

SHOWN = certificate("stranger", uri=SERVER_URI)
THUMBPRINT = thumbprint(SHOWN)


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pilot(tmp_path_factory.mktemp("trust") / "pilot")


@pytest.fixture
def folder(pilot: Path, tmp_path: Path) -> Path:
    """The pilot's OPC UA link with a trust list that has refused one certificate."""
    file = pilot / "gridctl.toml"
    text = file.read_text()
    folder = tmp_path / "trust"
    kept = [line for line in text.splitlines() if not line.startswith("trust_list")]
    at = next(i for i, line in enumerate(kept) if line.startswith("security_policy"))
    kept.insert(at, f'trust_list = "{folder}"')
    file.write_text("\n".join(kept) + "\n")
    TrustList(folder).remember(SHOWN)
    return folder


def gridctl(pilot: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["opcua", "trust", *words, "--instance", str(pilot)])


def test_person_accepts_what_was_refused_and_takes_it_back(pilot: Path, folder: Path) -> None:
    listed = gridctl(pilot, "list")
    assert listed.exit_code == 0
    assert "link DER:" in listed.stdout
    assert f"rejected  {THUMBPRINT}" in listed.stdout
    assert "CN=stranger" in listed.stdout
    accepted = gridctl(pilot, "accept", THUMBPRINT.lower())
    assert accepted.exit_code == 0
    assert THUMBPRINT in accepted.stdout
    assert [one.standing for one in TrustList(folder).entries()] == ["trusted"]
    (row,) = json.loads(gridctl(pilot, "list", "--json").stdout)["certificates"]
    assert (row["link"], row["standing"]) == ("DER", "trusted")
    assert (row["thumbprint"], row["application_uri"]) == (THUMBPRINT, SERVER_URI)
    rejected = gridctl(pilot, "reject", THUMBPRINT)
    assert rejected.exit_code == 0
    assert [one.standing for one in TrustList(folder).entries()] == ["rejected"]
    for word, standing in (("accept", "trusted"), ("reject", "rejected")):
        told = json.loads(gridctl(pilot, word, THUMBPRINT, "--json").stdout)
        assert (told["thumbprint"], told["standing"]) == (THUMBPRINT, standing)
        assert [one.standing for one in TrustList(folder).entries()] == [standing]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("accept", "A" * 40), "no rejected certificate has the thumbprint"),
        (("accept", "ABC"), "no thumbprint"),
        (("reject", THUMBPRINT), "no trusted certificate has the thumbprint"),
        (("list", "--link", "NOBODY"), "link NOBODY has no trust_list"),
    ],
)
def test_what_cannot_be_done_is_said(
    pilot: Path, folder: Path, words: tuple[str, ...], why: str
) -> None:
    found = gridctl(pilot, *words)
    assert found.exit_code == 3
    assert why in found.stderr
    assert [one.standing for one in TrustList(folder).entries()] == ["rejected"]
