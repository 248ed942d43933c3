"""What a human wrote wrongly is refused before anything connects, with file, key and hint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import LinkSettings, OptionValue, PointAddress
from protocols.opcua.addresses import NodeAddress, format_node, parse_address, parse_node
from protocols.opcua.settings import OPTION_MEANINGS, _Options, read_settings, read_targets
from tests.contracts.peer_opcua import PASSWORD, make_pki


@pytest.fixture
def settings(tmp_path: Path) -> LinkSettings:
    make_pki(tmp_path)
    return LinkSettings(
        id="DER",
        protocol="opcua",
        file="gridctl.toml",
        options={
            "url": "opc.tcp://127.0.0.1:4841/gridctl",
            "security_policy": "Basic256Sha256",
            "certificate": str(tmp_path / "field.der"),
            "key": str(tmp_path / "field.pem"),
            "server_certificate": str(tmp_path / "server.der"),
            "application_uri": "urn:gridctl:field",
            "user": "gridctl-field",
            "password_file": str(tmp_path / "opcua.password"),
            "publishing_ms": 500,
        },
    )


def with_option(settings: LinkSettings, key: str, value: OptionValue) -> LinkSettings:
    return replace(settings, options={**settings.options, key: value})


def row(**changes: object) -> PointAddress:
    fields: dict[str, object] = {
        "kind": PointKind.SETPOINT,
        "address": "nsu=urn:x;s=A",
        "command": "write",
        "lease": "",
        **changes,
    }
    return PointAddress(
        point=Point(
            mrid="A",
            name="A",
            equipment="E",
            kind=PointKind(str(fields["kind"])),
            unit=Unit.KW,
            phase=Phase.NONE,
            scan_s=1.0,
        ),
        link="DER",
        address=str(fields["address"]),
        command=str(fields["command"]),
        lease=str(fields["lease"]),
        scale=1.0,
        offset=0.0,
        deadband=0.0,
        min_value=None,
        max_value=None,
        file="points.csv",
        line=7,
    )


def test_complete_options_are_taken(settings: LinkSettings) -> None:
    read = read_settings(settings)
    assert read.credentials.password == PASSWORD
    assert read.keepalive_s == 5.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("security_policy", "None"),
        ("security_policy", "Basic128Rsa15"),
        ("url", "http://127.0.0.1:4841"),
        ("url", "opc.tcp://127.0.0.1/gridctl"),
        ("url", "opc.tcp://user:word@127.0.0.1:4841/gridctl"),
        ("publishing_ms", 0),
        ("publishing_ms", "often"),
        ("timeout_s", 600.0),
        ("user", ""),
        ("serial_port", "COM1"),
    ],
)
def test_wrong_option_is_refused_by_name(
    settings: LinkSettings, key: str, value: OptionValue
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(with_option(settings, key, value))
    assert caught.value.file == "gridctl.toml"
    assert caught.value.key == f"field.links.{key}"
    assert caught.value.hint


def test_every_missing_option_is_named(settings: LinkSettings) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(replace(settings, options={"url": "opc.tcp://127.0.0.1:4841/"}))
    for key in ("security_policy", "publishing_ms"):
        assert key in str(caught.value)
    bare = {key: settings.options[key] for key in ("url", "security_policy", "publishing_ms")}
    with pytest.raises(ConfigError) as caught:
        read_settings(replace(settings, options=bare))
    for key in ("application_uri", "certificate", "key", "server_certificate", "password_file"):
        assert f"{key}: is missing" in str(caught.value)


@pytest.mark.parametrize("key", ["certificate", "key", "server_certificate", "password_file"])
def test_missing_file_is_refused(settings: LinkSettings, tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.der cannot be read") as caught:
        read_settings(with_option(settings, key, str(tmp_path / "nothing.der")))
    assert caught.value.key == f"field.links.{key}"
    assert caught.value.hint


@pytest.mark.parametrize("name", ["field.pem", "opcua.password"])
def test_secret_that_others_can_read_is_refused(
    settings: LinkSettings, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).chmod(0o640)
    with pytest.raises(ConfigError, match="other users") as caught:
        read_settings(settings)
    assert "chmod 600" in caught.value.hint


def test_key_of_another_certificate_is_refused(settings: LinkSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the key of the certificate"):
        read_settings(with_option(settings, "key", str(tmp_path / "server.pem")))


def test_application_uri_must_be_in_the_certificate(settings: LinkSettings) -> None:
    with pytest.raises(ConfigError, match="urn:gridctl:field") as caught:
        read_settings(with_option(settings, "application_uri", "urn:somebody:else"))
    assert caught.value.key == "field.links.application_uri"


def test_empty_password_is_refused(settings: LinkSettings, tmp_path: Path) -> None:
    (tmp_path / "opcua.password").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        read_settings(settings)


def test_rubbish_is_not_a_certificate(settings: LinkSettings, tmp_path: Path) -> None:
    (tmp_path / "server.der").write_text("hello")
    with pytest.raises(ConfigError, match="not an X"):
        read_settings(settings)


def test_node_notation() -> None:
    assert parse_node("nsu=urn:gridctl:feeder:1;s=BESS01.TotW") == NodeAddress(
        namespace="urn:gridctl:feeder:1", identifier="BESS01.TotW"
    )
    assert parse_node("nsu=http://x/y;i=42") == NodeAddress(namespace="http://x/y", identifier=42)
    assert parse_node("nsu=urn:x;s=a;b=c") == NodeAddress(namespace="urn:x", identifier="a;b=c")
    for wrong in ("ns=2;s=A", "s=A", "nsu=;s=A", "nsu=urn:x;i=A", "nsu=urn:x;s=", "30:12"):
        assert parse_node(wrong) is None, wrong


def test_commands_are_understood(settings: LinkSettings) -> None:
    write, method = read_targets(
        settings,
        [row(lease="nsu=urn:x;s=L"), row(command="method:SetWMax")],
        read_settings(settings),
    )
    assert (write.method, write.lease) == ("", NodeAddress(namespace="urn:x", identifier="L"))
    assert (method.method, method.lease) == ("SetWMax", None)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"address": "ns=2;s=A"}, "address"),
        ({"command": "crob-latch"}, "command"),
        ({"command": "method:"}, "command"),
        ({"command": "method:SetWMax", "lease": "nsu=urn:x;s=L"}, "lease"),
        ({"lease": "41:70"}, "lease"),
    ],
)
def test_row_that_opc_ua_cannot_speak_is_refused(
    settings: LinkSettings, changes: dict[str, object], column: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_targets(settings, [row(**changes)], read_settings(settings))
    assert (caught.value.file, caught.value.key) == ("points.csv", f"7:{column}")
    assert caught.value.hint


def test_heartbeat_must_be_a_point_of_the_link(settings: LinkSettings) -> None:
    with pytest.raises(ConfigError) as caught:
        read_targets(settings, [row()], read_settings(with_option(settings, "heartbeat", "DER.HB")))
    assert caught.value.key == "field.links.heartbeat"


def test_every_option_is_explained() -> None:
    assert set(OPTION_MEANINGS) == set(_Options.model_fields)


def test_unencrypted_link_is_asked_for_in_so_many_words_and_only_reads(
    settings: LinkSettings,
) -> None:
    open_ = replace(
        settings,
        options={
            "url": "opc.tcp://127.0.0.1:4841/",
            "security_policy": "None",
            "publishing_ms": 500,
        },
    )
    with pytest.raises(ConfigError, match="refused unless unencrypted_read_only"):
        read_settings(open_)
    asked = with_option(open_, "unencrypted_read_only", True)
    judged = read_settings(asked)
    assert not judged.encrypted
    with pytest.raises(ConfigError, match="would give it away"):
        read_settings(with_option(asked, "user", "somebody"))
    with pytest.raises(ConfigError, match="takes commands and link DER is not encrypted"):
        read_targets(asked, [row()], judged)
    assert read_targets(asked, [row(kind=PointKind.ANALOG, command="")], judged)


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("range=0;nsu=urn:x;s=A", (0,)),
        ("range=2,3;nsu=urn:x;i=7", (2, 3)),
        ("nsu=urn:x;s=A[3]", ()),
    ],
)
def test_element_of_an_array(text: str, element: tuple[int, ...]) -> None:
    found = parse_address(text)
    assert found is not None
    assert found[1] == element


@pytest.mark.parametrize(
    "text", ["range=;nsu=urn:x;s=A", "range=1:2;nsu=urn:x;s=A", "range=-1;s=A"]
)
def test_range_that_is_none(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "nsu=urn:x;g=09087e75-8e5e-499b-954f-f2a9603db28a",
        "nsu=urn:x;b=YWJj",
        "nsu=urn:x;i=7",
        "nsu=urn:x;s=A;b",
    ],
)
def test_addresses_go_there_and_back(text: str) -> None:
    node = parse_node(text)
    assert node is not None
    assert format_node(node.namespace, node.identifier) == text


def test_user_is_known_in_one_way(settings: LinkSettings, tmp_path: Path) -> None:
    both = with_option(settings, "user_certificate", str(tmp_path / "field.der"))
    with pytest.raises(ConfigError, match="by a password or by a certificate"):
        read_settings(both)
    options = {k: v for k, v in settings.options.items() if k not in ("user", "password_file")}
    options |= {
        "user_certificate": str(tmp_path / "field.der"),
        "user_key": str(tmp_path / "field.pem"),
    }
    assert read_settings(replace(settings, options=options)).credentials.user_pair is not None


def test_redundant_servers_are_several_urls(settings: LinkSettings) -> None:
    two = with_option(settings, "backup_urls", "opc.tcp://10.0.0.2:4840/  opc.tcp://10.0.0.3:4840/")
    assert len(read_settings(two).urls) == 3
    with pytest.raises(ConfigError, match="backup_urls"):
        read_settings(with_option(settings, "backup_urls", "http://10.0.0.2/"))


def test_enabling_output_is_not_opc_ua(settings: LinkSettings) -> None:
    with pytest.raises(ConfigError, match="no enabling output") as caught:
        read_targets(settings, [replace(row(), enable="nsu=urn:x;s=E")], read_settings(settings))
    assert caught.value.key == "7:enable"
