"""Every command of the documentation is run here, or known to be run elsewhere.

Pages in EXECUTED are run block by block, as a reader would, in a pilot of their own. A command
that cannot be (it needs the console, a minute, or another machine) stands in ELSEWHERE with the
place that exercises it. A command in neither fails: a new one is thought about.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from gridctl import cli
from tests.docs.markdown import PAGES, ROOT, lines_of, name_of, shell_blocks, spoken_commands
from tests.gridctl.store import postgres
from tests.pilot import make_pilot

EXECUTED = (
    "docs/howto/add-an-operator.md",
    "docs/howto/back-up-and-restore.md",
    "docs/howto/read-the-audit.md",
    "docs/howto/rotate-keys-and-passwords.md",
    "docs/howto/upgrade-the-database.md",
    "docs/howto/use-doctor.md",
    "docs/howto/use-postgresql.md",
)
"""In a pilot whose database is up to date and has its first users; gridctl does not run."""

SCRIPT = "tests/journeys/test_script.py"
SIM = "tests/gridctl/test_cli_sim.py"
FEEDER = "tests/gridctl/test_cli_feeder.py"
LIFECYCLE = "tests/journeys/test_lifecycle.py"
BY_HAND = "tests/journeys/test_by_hand.py"
COMMAND_LINE = "tests/journeys/test_command_line.py"
CI = ".ci/run"
HERE = "tests/docs/test_commands.py"
"""They stand on pages that are executed, too."""

ELSEWHERE: Mapping[str, str] = {
    "make demo": LIFECYCLE,
    "make test": CI,
    "make check test": CI,
    "make setup-dev": CI,
    "make script": SCRIPT,
    ".venv/bin/gridctl opcua trust list": "tests/gridctl/test_cli_opcua.py",
    ".venv/bin/gridctl opcua trust accept THUMBPRINT": "tests/gridctl/test_cli_opcua.py",
    ".venv/bin/gridctl sim": SIM,
    ".venv/bin/gridctl sim status": SIM,
    ".venv/bin/gridctl sim faults": SIM,
    ".venv/bin/gridctl sim fault delayed-replies on DR --amount 3": SIM,
    ".venv/bin/gridctl sim fault delayed-replies off DR": SIM,
    ".venv/bin/gridctl sim fault lost-operate on DR": SIM,
    ".venv/bin/gridctl sim fault lost-operate off DR": SIM,
    ".venv/bin/gridctl sim --record run.csv": SIM,
    ".venv/bin/gridctl sim --replay run.csv": SIM,
    ".venv/bin/gridctl sim exam hot-afternoon --recording run.csv": SIM,
    ".venv/bin/gridctl demo --script --break frozen-feed": SCRIPT,
    ".venv/bin/gridctl demo --script --break tampered-plan": SCRIPT,
    ".venv/bin/gridctl demo --script --break wrong-approver": SCRIPT,
    ".venv/bin/gridctl demo --script --break expired-plan": SCRIPT,
    ".venv/bin/gridctl demo --script --break rejected-select": SCRIPT,
    ".venv/bin/gridctl demo --script --break dead-outstation": SCRIPT,
    ".venv/bin/gridctl feeder import master.dss": FEEDER,
    ".venv/bin/gridctl feeder check ieee34": FEEDER,
    ".venv/bin/gridctl feeder generate --nodes 1000 --style rural --seed 7": FEEDER,
    ".venv/bin/gridctl feeder list": FEEDER,
    ".venv/bin/gridctl feeder show ieee123": FEEDER,
    ".venv/bin/gridctl feeder draw ieee123 --out ieee123.svg": FEEDER,
    ".venv/bin/gridctl demo --feeder .gridctl/feeders/master": "tests/journeys/"
    "test_foreign_feeders.py",
    ".venv/bin/gridctl points check .gridctl/feeders/master/points.csv": "tests/docs/"
    "test_import_howto.py",
    ".venv/bin/gridctl status": BY_HAND,
    ".venv/bin/gridctl plan list": BY_HAND,
    ".venv/bin/gridctl plan show P-5ffff1089f": BY_HAND,
    ".venv/bin/gridctl plan approve P-5ffff1089f --digest f1771d5c3764": BY_HAND,
    ".venv/bin/gridctl plan approve P-5ffff1089f --digest f1771d5c3764 --user operator-b": BY_HAND,
    "export GRIDCTL_USER=operator-a": BY_HAND,
    ".venv/bin/gridctl stop": BY_HAND,
    '.venv/bin/gridctl stop --reason "end of the tutorial"': BY_HAND,
    ".venv/bin/gridctl audit verify": HERE,
    ".venv/bin/gridctl doctor": HERE,
    ".venv/bin/gridctl serve --profile openadr-test --port 8081": "tests/docs/test_connect.py",
    ".venv/bin/python -m optimizer problem.json --svg again.svg": "tests/docs/"
    "test_optimizer_tutorial.py",
    ".venv/bin/python -m optimizer.substation substation.json --workers 2": "tests/optimizer/"
    "substation/test_main.py",
    ".venv/bin/gridctl openadr client add YOUR-SYSTEM": HERE,
    ".venv/bin/gridctl openadr client signing YOUR-SYSTEM": "tests/gridctl/test_cli_openadr.py",
    ".venv/bin/gridctl openadr dead list": "tests/gridctl/test_cli_openadr.py",
    ".venv/bin/gridctl openadr dead replay NUMBER": "tests/gridctl/test_cli_openadr.py",
    ".venv/bin/gridctl openadr mqtt acl": "tests/gridctl/test_cli_openadr.py",
    ".venv/bin/gridctl evidence pack P-5ffff1089f -o pack.zip": COMMAND_LINE,
    ".venv/bin/gridctl evidence verify pack.zip --key office.pub": COMMAND_LINE,
    ".venv/bin/gridctl replay P-5ffff1089f": COMMAND_LINE,
    ".venv/bin/gridctl replay pack.zip": COMMAND_LINE,
}
"""Command → the file that runs it."""

BY_PATTERN: Mapping[str, str] = {
    r"\.venv/bin/python -m benchmarks\.worth --write": "by hand, 2026-11: 336 plans, "
    "ten minutes on a busy machine; table and picture of docs/explanation/worth.md",
    r"(office|agent)/bin/.*|python3 -m venv (office|agent)": "by hand, 2026-11: both environments "
    "made from their locks, `serve` and `field` run in them against the simulator",
}
"""What no test can run in reasonable time, and when somebody did."""


def everywhere() -> list[tuple[Path, str]]:
    """(page, command) of all pages that are not executed."""
    return [
        (page, line)
        for page in PAGES
        if name_of(page) not in EXECUTED
        for block in shell_blocks(page)
        if not _is_tested_with_its_page(page, block)
        for line in lines_of(block)
    ]


def _is_tested_with_its_page(page: Path, block: str) -> bool:
    """The README's demand event: tests/journeys/test_by_hand.py runs these lines; the customer
    system's page: tests/docs/test_connect.py; that of closed loop: all of it in a pilot, in
    tests/journeys/test_closed_loop.py."""
    if name_of(page) == "docs/howto/let-an-area-run-by-itself.md":
        return True
    if name_of(page) == "docs/howto/connect-your-system.md":
        return not block.startswith(".venv/bin/")
    return page.name == "README.md" and block.startswith("B=http://127.0.0.1")


@pytest.mark.parametrize(
    ("page", "line"), everywhere(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_command_is_known(page: Path, line: str) -> None:
    known = line in ELSEWHERE or any(re.fullmatch(p, line) for p in BY_PATTERN)
    assert known, f"{name_of(page)}: say in {HERE} how {line!r} is exercised"
    if "gridctl " in line and not line.startswith("export"):
        check_words(shlex.split(line))


def test_what_is_known_is_there() -> None:
    said = {line for _, line in everywhere()}
    assert set(ELSEWHERE) <= said, f"nobody says {set(ELSEWHERE) - said}"
    for where in ELSEWHERE.values():
        assert (ROOT / where).is_file(), where
    for name in EXECUTED:
        assert (ROOT / name).is_file(), name


def spoken() -> list[str]:
    return sorted({command for page in PAGES for command in spoken_commands(page)})


@pytest.mark.parametrize("command", spoken())
def test_a_command_in_a_sentence_exists(command: str) -> None:
    words = command.replace("…", "").split()
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+%?):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        for word in words[1:]:
            if "=" in word:
                continue
            assert any(re.fullmatch(t.replace("%", "[a-z]+"), word) for t in targets) or (
                word == "bench-NAME"
            ), word
        return
    check_words(words)


def check_words(words: list[str]) -> None:
    """Each word is a command, an option or a value of gridctl's command line.

    `run`/`serve` mean: one of them. What is in capitals stands for a value.
    """
    here = typer.main.get_command(cli.app)
    rest = words[1:]
    while rest and isinstance(here, TyperGroup) and rest[0] in here.commands:
        here = here.commands[rest.pop(0)]
    if isinstance(here, TyperGroup):
        options = {word for word in rest if word.startswith("-")}
        own = {name for p in here.params for name in p.opts} if here.invoke_without_command else ()
        known = {"--help", *own}
        assert not rest or options <= known, f"{' '.join(words)}: no such command"
        return
    known = {name for p in here.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    for word in rest:
        if word.startswith("-"):
            assert word.partition("=")[0] in known, f"{' '.join(words)}: no option {word}"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / ".gridctl" / "demo"
    return make_pilot(folder)


@pytest.fixture
def desk(original: Path, tmp_path: Path) -> Path:
    """A folder that looks like a clone's: `.venv`, and `.gridctl/demo` after its first start."""
    shutil.copytree(original, tmp_path / ".gridctl" / "demo")
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    first = (
        ".venv/bin/gridctl db upgrade && "
        '.venv/bin/gridctl user add operator-a --role OPERATOR --full-name "First" && '
        ".venv/bin/gridctl openadr client add customer-system"
    )
    shell(first, tmp_path)
    return tmp_path


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Mapping[str, str]]:
    """What an administrator of PostgreSQL has in the environment; empty for other pages."""
    if "postgresql" not in request.getfixturevalue("name"):
        yield {}
        return
    reason = postgres.missing_reason()
    if reason is not None:
        pytest.skip(reason)
    with postgres.server() as url:
        folder = url.partition("host=")[2]
        yield {"PGHOST": folder, "PGUSER": "gridctl", "PGDATABASE": "postgres"}


@pytest.mark.parametrize("name", EXECUTED)
def test_a_page_can_be_followed(name: str, desk: Path, database: Mapping[str, str]) -> None:
    ran = 0
    for block in shell_blocks(ROOT / name):
        text = block.replace("/var/run/postgresql", database.get("PGHOST", ""))
        shell(text, desk, database)
        ran += 1
    assert ran > 0


def shell(text: str, folder: Path, extra: Mapping[str, str] | None = None) -> str:
    """Run as a person would, but stop at the first failure."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GRIDCTL_", "PG"))}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env={**environment, **(extra or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout
