"""No link, anchor or picture is broken, and every page can be found from docs/README.md."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.markdown import PAGES, ROOT, anchors, links, name_of

START = ROOT / "docs" / "README.md"


def targets(page: Path) -> set[Path]:
    """Files that a page links to."""
    found = (link.partition("#")[0] for link in links(page) if "://" not in link)
    return {(page.parent / name).resolve() for name in found if name}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        assert not link.startswith("http"), f"{link}: documentation stands on its own"
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{name_of(page)}: {link} is not there"
        assert target.is_relative_to(ROOT), f"{name_of(page)}: {link} leaves the project"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)}: {link} has no such heading"


def test_every_page_can_be_found() -> None:
    reached: set[Path] = set()
    waiting = [START]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        waiting += targets(page)
    lost = {name_of(p) for p in PAGES if p.is_relative_to(ROOT / "docs")} - {
        name_of(p) for p in reached
    }
    assert not lost, f"link these pages from docs/README.md or from a page that it links: {lost}"


def test_every_picture_is_shown() -> None:
    shown = {target for page in PAGES for target in targets(page)}
    there = {path for path in (ROOT / "docs" / "img").iterdir() if path.is_file()}
    assert there <= shown, f"nobody shows {sorted(p.name for p in there - shown)}"


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "img").glob("*.svg")), ids=name_of)
def test_a_drawing_reads_in_light_and_dark_and_says_what_it_is(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314 - our own file
    assert "prefers-color-scheme:dark" in text
    assert 'class="paper"' in text  # a ground of its own: the page's may be of the other kind
    assert root.get("aria-label")
    assert "href" not in text
