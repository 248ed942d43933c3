"""What holds for all tests: no silent skips, and where shared data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As the command line does it, before numpy comes.
os.environ.setdefault("OMP_NUM_THREADS", "1")


LONGEST = (
    "journeys/test_browser.py",
    "journeys/test_script.py",
    "journeys/test_by_hand.py",
    "peers/openadr/test_contract.py",
    "protocols/opcua/test_foreign_servers.py",
    "docs/test_commands.py",
    "contracts/test_driver_contract.py",
    "protocols/opcua/test_foreign_features.py",
    "contracts/test_resource_contract.py",
    "gridctl/control/test_journey.py",
    "gridctl/test_commissioning.py",
    "gridctl/field/test_agent.py",
    "peers/openadr/test_platform.py",
)
"""Files that take long, however few their tests are: where several run at a time (by files, see the
Makefile) they begin, so that nobody waits for them at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all else as it was found."""
    here = Path(__file__).parent
    rank = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line for what could not run here."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = sorted({str(r.longrepr[2]).removeprefix("Skipped: ") for r in skipped})
        terminalreporter.write_line(
            f"NOT RUN HERE: {len(skipped)} tests: {'; '.join(reasons)}", red=True, bold=True
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI (GRIDCTL_NO_SKIP) a skipped test is a failure: the part it needs must be there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("GRIDCTL_NO_SKIP")
        and exitstatus == pytest.ExitCode.OK
        and reporter is not None
        and reporter.stats.get("skipped")
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
