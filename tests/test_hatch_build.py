"""The console's build hook: what makes it build, what makes it skip, what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build_under_test", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    folder = tmp_path / "ui"
    (folder / "src").mkdir(parents=True)
    (folder / "src/main.tsx").write_text("one", "utf-8")
    (folder / "package-lock.json").write_text("{}", "utf-8")
    return folder


def test_the_stamp_follows_sources_and_nothing_else(hook: ModuleType, ui: Path) -> None:
    before = hook.stamp_of(ui)
    for name in ("node_modules", "test", ".test-build"):
        (ui / name).mkdir()
        (ui / name / "x.ts").write_text("new", "utf-8")
    assert hook.stamp_of(ui) == before
    (ui / "src/main.tsx").write_text("two", "utf-8")
    assert hook.stamp_of(ui) != before


def test_an_unchanged_console_is_not_built_again(hook: ModuleType, ui: Path) -> None:
    static = ui.parent / "gridctl/web/static"
    static.mkdir(parents=True)
    (static / ".stamp").write_text(hook.stamp_of(ui), "utf-8")
    assert hook.build(ui.parent) == "console: unchanged"


def test_without_node_it_says_what_to_do(
    hook: ModuleType, ui: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(ui))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(hook.ConsoleBuildError, match="GRIDCTL_SKIP_UI=1"):
        hook.build(ui.parent)


def test_skipping_is_asked_for_by_the_environment(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRIDCTL_SKIP_UI", raising=False)
    assert not hook.skipped()
    monkeypatch.setenv("GRIDCTL_SKIP_UI", "0")
    assert not hook.skipped()
    monkeypatch.setenv("GRIDCTL_SKIP_UI", "1")
    assert hook.skipped()


def test_the_lock_names_no_download_host() -> None:
    lock = (ROOT / "ui/package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://registry" not in lock
    assert lock.count('"integrity"') > 5
