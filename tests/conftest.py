"""What holds for all tests: no silent skips, and where shared data lies."""

from __future__ import annotations

import os

import pytest

# As the command line does it, before numpy comes.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
