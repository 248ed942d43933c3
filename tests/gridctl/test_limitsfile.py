"""limits.toml: read whole, or refused with every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.limitsfile import load_limits, sign_limits
from gridctl.model.errors import ConfigError
from gridctl.pki import make_office_keys
from tests.gridctl.small_site import limits_text


def written(folder: Path, text: str) -> Path:
    path = folder / "limits.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_becomes_limits_with_a_digest(tmp_path: Path) -> None:
    limits = load_limits(written(tmp_path, limits_text()))
    assert [d.point for d in limits.devices][:2] == ["LG1.ShedSpt", "LG2.ShedSpt"]
    assert limits.areas[0].budget_kw == 500.0
    assert limits.digest() == load_limits(tmp_path / "limits.toml").digest()
    other = load_limits(written(tmp_path, limits_text(lease_s=201.0)))
    assert other.digest() != limits.digest()


def test_sg05_limits_that_ot_has_not_signed_are_refused(tmp_path: Path) -> None:
    ot, public, other = tmp_path / "ot.key", tmp_path / "ot.pub", tmp_path / "other.key"
    make_office_keys(private=ot, public=public)
    make_office_keys(private=other, public=tmp_path / "other.pub")
    file = written(tmp_path, limits_text())
    with pytest.raises(ConfigError, match="signature cannot be read"):
        load_limits(file, signed_by=public)
    sign_limits(file, ot)
    signed = load_limits(file, signed_by=public)
    assert signed == load_limits(file)
    written(tmp_path, limits_text(lease_s=100_000.0).replace("200.0", "200.5"))
    with pytest.raises(ConfigError, match="OT has not signed"):
        load_limits(file, signed_by=public)
    written(tmp_path, limits_text())
    sign_limits(file, other)
    with pytest.raises(ConfigError, match="OT has not signed"):
        load_limits(file, signed_by=public)


def test_sg05_what_is_wrong_is_not_signed(tmp_path: Path) -> None:
    make_office_keys(private=tmp_path / "ot.key", public=tmp_path / "ot.pub")
    file = written(tmp_path, limits_text().replace("step_max = 200.0", "step_max = -1.0"))
    with pytest.raises(ConfigError, match="step_max"):
        sign_limits(file, tmp_path / "ot.key")
    assert not (tmp_path / "limits.toml.sig").exists()


def test_absent_file_says_that_nothing_may_move(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing may be dispatched") as caught:
        load_limits(tmp_path / "limits.toml")
    assert caught.value.file.endswith("limits.toml")


def test_sg05_nothing_has_a_default(tmp_path: Path) -> None:
    text = limits_text()
    for key in ("step_max", "interval_min_s", "per_hour_max", "lease_max_s", "default_value"):
        lines = [line for line in text.splitlines() if not line.startswith(key)]
        with pytest.raises(ConfigError, match="missing") as caught:
            load_limits(written(tmp_path, "\n".join(lines)))
        assert caught.value.key == f"devices[0].{key}"


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("version = 1", "version = 2", "version", "reads 1"),
        ("max_value = 100.0", "max_value = -5.0", "devices[0]", "is above max_value"),
        ("default_value = 0.0", "default_value = 500.0", "devices[0]", "could never be released"),
        ("step_max = 200.0", "step_max = nan", "devices[0].step_max", "finite"),
        ("step_max = 200.0", 'step_max = "200"', "devices[0].step_max", "valid number"),
        ("step_max = 200.0", "step_max = 200.0\nstep_mx = 1", "devices[0].step_mx", "unknown key"),
        ("per_hour_max = 60", "per_hour_max = 0", "devices[0].per_hour_max", "greater"),
        ("budget_kw = 500.0", "budget_kw = 0.0", "areas[0].budget_kw", "greater"),
        ('area = "A1"\nmin', 'area = "A9"\nmin', "devices[0].area", "no budget"),
        ("inhibited = []", 'inhibited = ["X"]', "inhibited[0]", "not one of the devices"),
        ('"LG2.ShedSpt"', '"LG1.ShedSpt"', "devices", "there twice"),
    ],
)
def test_each_mistake_names_its_key(
    tmp_path: Path, old: str, new: str, key: str, message: str
) -> None:
    text = limits_text()
    assert old in text
    with pytest.raises(ConfigError) as caught:
        load_limits(written(tmp_path, text.replace(old, new)))
    assert caught.value.key == key
    assert message in str(caught.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = limits_text().replace("step_max = 200.0", "step_max = -1.0")
    with pytest.raises(ConfigError) as caught:
        load_limits(written(tmp_path, text))
    assert str(caught.value).count("greater than 0") == 5


def test_what_is_not_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        load_limits(written(tmp_path, "version = "))
