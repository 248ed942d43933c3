"""Bad input: each is a refusal to start that names file, key and hint."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gridctl.config import load_settings
from gridctl.config_assets import load_feeder, load_resources
from gridctl.demo import set_keys
from gridctl.model.errors import ConfigError
from gridctl.wallclock import check_machine_clock
from tests.pilot import make_pilot


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pilot(tmp_path_factory.mktemp("original") / "pilot")


@pytest.fixture
def pilot(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "pilot"))


def edit(file: Path, pattern: str, replacement: str) -> None:
    """Replace exactly one place."""
    text, count = re.subn(pattern, replacement, file.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    file.write_text(text)


def refusal(file: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert str(file) in str(caught.value)
    return caught.value


def test_the_pilot_itself_loads(pilot: Path) -> None:
    settings = load_settings(pilot / "gridctl.toml")
    assert settings.site.feeder == pilot / "feeder.json"
    assert settings.database.url == f"sqlite:///{pilot}/control.db"
    feeder = load_feeder(settings.site.feeder)
    resources = load_resources(settings.site.resources, feeder)
    kinds = [type(r).__name__ for r in resources]
    assert kinds.count("LoadGroup") >= 20
    assert kinds.count("Battery") >= 10
    assert kinds.count("PvInverter") >= 30


def test_unknown_key_names_it_and_suggests(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    edit(file, r"^quantile = 0.9", "quantil = 0.9")
    error = refusal(file)
    assert "planning.quantil: unknown key, did you mean 'quantile'?" in str(error)
    assert "planning.quantile: missing" in str(error)


def test_all_mistakes_are_told_at_once(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    edit(file, r"^head_limit_kw = .*", "head_limit_kw = -1")
    edit(file, r"^count = 24", 'count = "many"')
    text = str(refusal(file))
    assert "site.head_limit_kw" in text
    assert "planning.count" in text


def test_not_toml(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    file.write_text("[site\n")
    assert "line 1" in str(refusal(file))


def test_missing_file_says_what_makes_one(tmp_path: Path) -> None:
    assert "gridctl demo" in refusal(tmp_path / "demo" / "gridctl.toml").hint


def test_a_missing_file_names_the_pilots_beside_it(tmp_path: Path) -> None:
    """Somebody runs `gridctl demo --feeder mine`, and then `gridctl status` without a word."""
    (tmp_path / "demo-mine").mkdir()
    (tmp_path / "demo-mine" / "gridctl.toml").touch()
    assert (
        refusal(tmp_path / "demo" / "gridctl.toml").hint == f"--instance {tmp_path / 'demo-mine'}"
    )


def test_missing_feeder(pilot: Path) -> None:
    (pilot / "feeder.json").unlink()
    assert refusal(pilot / "gridctl.toml").key == "site.feeder"


def test_two_links_of_one_name(pilot: Path) -> None:
    edit(pilot / "gridctl.toml", r'^id = "DR"', 'id = "SUB"')
    assert refusal(pilot / "gridctl.toml").key == "field.links[1].id"


def test_a_resource_at_a_node_that_is_not_there(pilot: Path) -> None:
    settings = load_settings(pilot / "gridctl.toml")
    feeder = load_feeder(settings.site.feeder)
    edit(settings.site.resources, r'node = "[^"]+"', 'node = "nowhere"')
    with pytest.raises(ConfigError, match=r"terminal nowhere\.. is not in feeder"):
        load_resources(settings.site.resources, feeder)


def test_shares_must_sum_to_one(pilot: Path) -> None:
    settings = load_settings(pilot / "gridctl.toml")
    edit(settings.site.resources, r"share = [0-9.]+", "share = 0.12")
    with pytest.raises(ConfigError, match="sum to"):
        load_resources(settings.site.resources, load_feeder(settings.site.feeder))


def test_the_office_takes_no_inverter_that_waits_for_kvar(pilot: Path) -> None:
    """Nobody would send them: a plan would count on what never comes."""
    settings = load_settings(pilot / "gridctl.toml")
    waits = "reactive = { rating_kva = 100.0, kvar_max = 50.0 }\n"
    edit(settings.site.resources, r"^(rating_kva = .*\n)", rf"\1{waits}")
    with pytest.raises(ConfigError, match="the office sends none"):
        load_resources(settings.site.resources, load_feeder(settings.site.feeder))


def test_a_clock_that_cannot_be_right() -> None:
    with pytest.raises(ConfigError, match=r"system clock:time.*cannot be right.*chrony"):
        check_machine_clock(0.0)
    check_machine_clock(1_795_000_000.0)


def test_set_keys_keeps_the_rest(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    before = file.read_text().splitlines()
    set_keys(file, {("clock", "rate"): 1.0, ("web", "port"): 9000})
    after = file.read_text().splitlines()
    assert len(after) == len(before)
    assert [a for a, b in zip(after, before, strict=True) if a != b] == [
        "rate = 1.0",
        "port = 9000",
    ]
    with pytest.raises(ConfigError, match=r"web\.colour"):
        set_keys(file, {("web", "colour"): "grey"})


def gridctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gridctl.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_limits_file_absent_refuses_to_start(pilot: Path) -> None:
    (pilot / "limits.toml").unlink()
    for command in ("serve", "field"):
        done = gridctl(command, "--instance", str(pilot))
        assert done.returncode == 3, done.stderr
        assert "limits.toml" in done.stderr


def test_unknown_protocol_refuses_to_start(pilot: Path) -> None:
    edit(pilot / "gridctl.toml", r'^protocol = "opcua"', 'protocol = "modbus"')
    done = gridctl("field", "--instance", str(pilot))
    assert done.returncode == 3, done.stderr
    assert "modbus" in done.stderr


def test_missing_certificate_refuses_to_start(pilot: Path) -> None:
    (pilot / "pki" / "sim-server.der").unlink()
    done = gridctl("field", "--instance", str(pilot))
    assert done.returncode == 3, done.stderr
    assert "sim-server.der" in done.stderr


def test_duplicate_dnp3_address_refuses_to_start(pilot: Path) -> None:
    file = pilot / "points.csv"
    lines = file.read_text().splitlines()
    sub = [i for i, line in enumerate(lines) if ",SUB,30:" in line][:2]
    address = re.search(r",SUB,(30:\d+),", lines[sub[0]])
    assert address is not None
    lines[sub[1]] = re.sub(r",SUB,30:\d+,", f",SUB,{address[1]},", lines[sub[1]])
    file.write_text("\n".join(lines) + "\n")
    done = gridctl("field", "--instance", str(pilot))
    assert done.returncode == 3, done.stderr
    assert f"points.csv:{sub[1] + 1}" in done.stderr


def test_port_in_use_refuses_to_start(pilot: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        set_keys(pilot / "gridctl.toml", {("web", "port"): taken.getsockname()[1]})
        done = gridctl("serve", "--instance", str(pilot))
    assert done.returncode == 3, done.stderr
    assert "web.port" in done.stderr
    assert "make demo PORT=" in done.stderr


def test_doctor_tells_what_is_wrong_and_how_to_mend_it(pilot: Path) -> None:
    (pilot / "pki" / "sim-server.der").unlink()
    (pilot / "secrets" / "office.key").chmod(0o644)
    done = gridctl("doctor", "--instance", str(pilot))
    assert done.returncode == 1
    assert re.search(r"BAD +certificate sim-server.der", done.stdout)
    assert "chmod 600" in done.stdout


def test_a_mistake_is_told_with_its_line(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    edit(file, r"^head_limit_kw = .*", "head_limit_kw = -1")
    lines = file.read_text().splitlines()
    error = refusal(file)
    assert error.line == lines.index("head_limit_kw = -1") + 1
    assert f"gridctl.toml:{error.line}:site.head_limit_kw: " in str(error)


def test_scan_classes_groups_and_defaults_of_a_link(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    extra = (
        "[field.scan_classes]\nfast = { period_s = 1 }\n"
        "[field.groups.alarms]\nsoe = true\nevent_class = 1\nscan = 'fast'\n\n[[field.links]]\n"
    )
    edit(file, r"^\[\[field.links\]\]\n", extra + "defaults = { scan = 'fast', deadband = 0.5 }\n")
    context = load_settings(file).field.context()
    assert context.scan_s == {"fast": 1.0}
    assert context.groups is not None
    assert (context.groups["alarms"].soe, context.groups["alarms"].event_class) == (True, 1)
    assert context.defaults["SUB"].deadband == 0.5
    assert context.links == frozenset({"SUB", "DR", "DER"})


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("[field.scan_classes]\nfast = { period_s = 0 }", "field.scan_classes.fast.period_s"),
        ("[field.groups.a]\nsoee = true", "unknown key, did you mean 'soe'?"),
        ("[field.groups.a]\nevent_class = 4", "field.groups.a.event_class"),
        ("[field.groups.a]\nsoe = true\nevent_class = 0", "soe needs events"),
        ("[field.groups.a]\nscan = 'fast'", "field.groups.a.scan: 'fast' is not configured"),
    ],
)
def test_a_group_that_means_nothing(pilot: Path, extra: str, told: str) -> None:
    file = pilot / "gridctl.toml"
    edit(file, r"^\[\[field.links\]\]\n", f"{extra}\n\n[[field.links]]\n")
    text = str(refusal(file))
    assert told in text
    number = file.read_text().splitlines().index(extra.splitlines()[-1]) + 1
    assert f"gridctl.toml:{number}:" in text


def test_a_driver_tells_the_line_of_its_option(pilot: Path) -> None:
    file = pilot / "gridctl.toml"
    edit(file, r"^master_address = 1$", "master_address = 70000")
    number = file.read_text().splitlines().index("master_address = 70000") + 1
    done = gridctl("field", "--instance", str(pilot))
    assert done.returncode == 3
    assert f"gridctl.toml:{number}:field.links.master_address" in done.stderr
