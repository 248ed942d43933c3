"""What the tests read out of a Markdown page: commands, links, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted(path for path in ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(make|\.venv/bin/|gridctl|curl|psql|python3?|tar|cp|mv|rm)\b")


def name_of(page: Path) -> str:
    """The page as the tables of the tests name it."""
    return page.relative_to(ROOT).as_posix()


def shell_blocks(page: Path) -> Iterator[str]:
    """Fenced `sh` blocks, and indented ones whose first word is a command of a shell."""
    text = page.read_text(encoding="utf-8")
    for language, body in _FENCE.findall(text):
        if language in ("sh", "bash", "shell", "console"):
            yield body
    rest = _FENCE.sub("", text)
    for block in re.findall(r"(?:^\n)((?:^ {4}\S.*\n)+)", rest, re.MULTILINE):
        if _COMMAND.match(block.strip()):
            yield "\n".join(line[4:] for line in block.splitlines()) + "\n"


def lines_of(block: str) -> list[str]:
    """Its commands: continued lines joined, what only explains (after two spaces) left out."""
    joined = re.sub(r"\\\n\s*", "", block)
    found = (re.split(r" {2,}(?=\S)", line.strip(), maxsplit=1)[0] for line in joined.splitlines())
    return [re.sub(r"\s+#.*$", "", line) for line in found if line]


def spoken_commands(page: Path) -> Iterator[str]:
    """`gridctl …` and `make …` between backticks in running text, also across a line's end."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for found in re.findall(r"`((?:\.venv/bin/)?gridctl [^`]+|make [^`]+)`", text):
        yield " ".join(found.split())


def links(page: Path) -> Iterator[str]:
    """Targets of links and pictures outside of code."""
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    """What `#…` may name on this page, as forges make it from headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
