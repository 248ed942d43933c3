"""The PDF that a reader opens: its table of objects is right, its text is there, it is ASCII."""

from __future__ import annotations

import re

from gridctl.pdfpage import HEIGHT, Document, text_width, wrapped


def test_every_object_stands_where_the_table_says() -> None:
    page = Document()
    for k in range(120):
        page.paragraph(f"line {k} with (brackets), a back\\slash, ± and √")
    page.line([(10, 10), (20, 20)], dashed=True)
    text = page.written()
    assert text.isascii()
    start = int(re.findall(r"startxref\n(\d+)\n", text)[0])
    assert text[start:].startswith("xref\n")
    places = [int(n) for n in re.findall(r"^(\d{10}) 00000 n $", text, re.MULTILINE)]
    for number, place in enumerate(places, start=1):
        assert text[place:].startswith(f"{number} 0 obj\n")
    for length, body in re.findall(r"/Length (\d+) >>\nstream\n(.*?)\nendstream", text, re.DOTALL):
        assert int(length) == len(body)
    assert int(re.findall(r"/Count (\d+)", text)[0]) == len(re.findall(r"/Type /Page ", text)) == 3
    # ± is in the encoding, √ is not; brackets and backslashes are escaped.
    assert r"(line 0 with \(brackets\), a back\\slash, \261 and ?) Tj" in text
    assert page.written() == text


def test_lines_fit_and_nothing_is_lost() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 5
    lines = wrapped(text, 10.0, 200.0)
    assert all(text_width(line, 10.0) <= 200.0 for line in lines)
    assert " ".join(lines) == " ".join(text.split())
    # Helvetica's published widths: A 667, i 222.
    assert text_width("Ai", 1000.0) == 889.0


def test_a_full_page_ends() -> None:
    page = Document()
    page.y = HEIGHT - 60
    page.room(50)
    assert page.y < 100
