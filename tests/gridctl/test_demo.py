"""What a second start of a pilot changes in its folder, and what it leaves alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gridctl.config import load_settings
from gridctl.demo import device_ports, prepare_instance, set_keys
from gridctl.model.errors import ConfigError
from sim.instance_ports import reserved_ports
from tests.pilot import make_pilot


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_pilot(tmp_path_factory.mktemp("demo") / "pilot")
    with device_ports(made) as ports:
        prepare_instance(made, port=21_990, rate=10.0, devices=ports)
    return made


def test_only_the_named_values_of_the_file_change(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('# mine\n[web]\nport = 1 \n[[x.y]]\nport = 2\n\n[[x.y]]\nport = 3\nid = "b"\n')
    set_keys(file, {("web", "port"): 9, ("x.y[1]", "port"): 8, ("x.y[1]", "id"): "c"})
    assert file.read_text() == (
        '# mine\n[web]\nport = 9\n[[x.y]]\nport = 2\n\n[[x.y]]\nport = 8\nid = "c"\n'
    )
    with pytest.raises(ConfigError, match=r"x\.y\[2\]\.port: missing"):
        set_keys(file, {("x.y[2]", "port"): 1})


def test_a_second_start_keeps_the_device_ports(instance: Path) -> None:
    before = load_settings(instance / "gridctl.toml")
    with device_ports(instance) as ports:
        assert not prepare_instance(instance, port=21_990, rate=30.0, devices=ports)
    after = load_settings(instance / "gridctl.toml")
    assert after.field == before.field
    assert after.web.port == 21_990
    assert after.clock is not None
    assert after.clock.rate == 30.0


def test_a_second_start_takes_other_device_ports_when_somebody_has_one(instance: Path) -> None:
    before = load_settings(instance / "gridctl.toml").field.links
    taken = before[1].options()["port"]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", taken))
        listener.listen()
        with device_ports(instance) as ports:
            prepare_instance(instance, port=21_990, rate=10.0, devices=ports)
    sub, dr, der = load_settings(instance / "gridctl.toml").field.links
    assert taken not in ports
    assert (sub.options()["port"], dr.options()["port"]) == ports[:2]
    assert der.options()["url"] == f"opc.tcp://127.0.0.1:{ports[2]}/gridctl"
    assert [link.id for link in before] == [sub.id, dr.id, der.id]


def test_grid_time_never_goes_back(instance: Path) -> None:
    """The time is saved every two real seconds: what may have run since is skipped."""
    settings = load_settings(instance / "gridctl.toml")
    assert settings.clock is not None
    last_s = settings.clock.anchor_grid_s + 600.0
    (instance / "run" / "grid-time").write_text(f"{last_s:.0f}\n")
    with reserved_ports(3) as ports:
        prepare_instance(instance, port=21_990, rate=10.0, devices=ports)
    again = load_settings(instance / "gridctl.toml").clock
    assert again is not None
    assert last_s + 2.0 * settings.clock.rate <= again.anchor_grid_s < last_s + 60.0


def test_a_pilot_that_stopped_in_the_evening_goes_on_the_next_afternoon(instance: Path) -> None:
    settings = load_settings(instance / "gridctl.toml")
    assert settings.clock is not None
    day_s = 86_400.0
    offset_s = settings.site.utc_offset_h * 3600
    midnight_s = (settings.clock.anchor_grid_s + offset_s) // day_s * day_s - offset_s
    (instance / "run" / "grid-time").write_text(f"{midnight_s + 20 * 3600:.0f}\n")
    with reserved_ports(3) as ports:
        prepare_instance(instance, port=21_990, rate=10.0, devices=ports)
    again = load_settings(instance / "gridctl.toml").clock
    assert again is not None
    assert again.anchor_grid_s == pytest.approx(midnight_s + day_s + (15 + 40 / 60) * 3600)
