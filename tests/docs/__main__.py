"""`make docs`: write all pages that are made from the code."""

from __future__ import annotations

from tests.docs.generated import DOCS, PAGES

for name, make in PAGES.items():
    (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
    (DOCS / name).write_text(make(), encoding="utf-8")
