"""docs/adr/README.md: the list of decisions, from their own titles and states."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.tables import GENERATED, table

ADR = Path(__file__).parents[2] / "docs" / "adr"


def decisions_page() -> str:
    """The whole page. AssertionError for a page that is not a decision's."""
    rows = []
    for file in sorted(ADR.glob("[0-9]*.md")):
        text = file.read_text(encoding="utf-8")
        title = re.match(r"# (\d{4}) (.+)\n", text)
        state = re.search(r"^Status: (.+)$", text, re.MULTILINE)
        assert title is not None and title[1] == file.name[:4], f"{file.name}: '# NUMBER Title'"  # noqa: PT018
        assert state is not None, f"{file.name} has no 'Status: …' line"
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, f"{file.name} has no {part!r}"
        rows.append((f"[{title[1]}]({file.name})", title[2], state[1]))
    heads = ("number", "decision", "status")
    return f"# Decisions\n\n{GENERATED}\n\n{table(heads, rows)}\n"
