"""Just enough PDF for a page of text, numbers and lines: two of the fonts that every reader has.

No dependency, no date, no random name: the same page is the same bytes, all of them ASCII. PDF 1.4
(ISO 32000-1, clauses 7.5 file structure, 8.5 paths, 9.4 text). Units are points, from the top left.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 595.0, 842.0, 56.0
"""A4."""
REGULAR, BOLD = "F1", "F2"

# Advance widths of Helvetica for the codes 32 to 126, 1/1000 em (its published metrics).
_ADVANCE = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_FIRST, _OTHER = 32, 556


def text_width(text: str, size: float) -> float:
    """Of `text` in the regular font, points. The bold one is a little wider."""
    codes = (ord(c) - _FIRST for c in text)
    advance = sum(_ADVANCE[k] if 0 <= k < len(_ADVANCE) else _OTHER for k in codes)
    return size / 1000.0 * advance


def wrapped(text: str, size: float, width: float) -> list[str]:
    """`text` in lines that fit into `width`."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Document:
    """Pages as they are written, from top to bottom; a new page begins when one is full."""

    def __init__(self) -> None:
        self._pages: list[list[str]] = [[]]
        self.y = MARGIN

    @property
    def right(self) -> float:
        """The right margin."""
        return WIDTH - MARGIN

    def room(self, height: float) -> None:
        """Begin a new page when less than `height` is left on this one."""
        if self.y + height > HEIGHT - MARGIN:
            self._pages.append([])
            self.y = MARGIN

    def text(
        self, x: float, text: str, *, size: float = 10.0, bold: bool = False, right: bool = False
    ) -> None:
        """One line at the current height; `right`: it ends at `x`."""
        at = x - text_width(text, size) if right else x
        font = BOLD if bold else REGULAR
        self._put(
            f"BT /{font} {size:g} Tf {at:.2f} {self._up(self.y):.2f} Td ({_shown(text)}) Tj ET"
        )

    def paragraph(self, text: str, *, size: float = 10.0, bold: bool = False) -> None:
        """Lines between the margins."""
        for line in wrapped(text, size, self.right - MARGIN):
            self.room(1.4 * size)
            self.y += 1.4 * size
            self.text(MARGIN, line, size=size, bold=bold)

    def line(
        self, points: Sequence[tuple[float, float]], *, width: float = 0.5, dashed: bool = False
    ) -> None:
        """A line through `points` (x, y)."""
        path = " ".join(
            f"{x:.2f} {self._up(y):.2f} {'l' if k else 'm'}" for k, (x, y) in enumerate(points)
        )
        dash = "[5 3] 0 d" if dashed else "[] 0 d"
        self._put(f"{width:g} w {dash} {path} S")

    def written(self) -> str:
        """The file."""
        count = len(self._pages)
        kids = " ".join(f"{5 + 2 * k} 0 R" for k in range(count))
        font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
        objects = [
            "<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
            font.format("Helvetica"),
            font.format("Helvetica-Bold"),
        ]
        for k, page in enumerate(self._pages):
            stream = "\n".join(page)
            objects.append(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH:g} {HEIGHT:g}] "
                f"/Resources << /Font << /{REGULAR} 3 0 R /{BOLD} 4 0 R >> >> "
                f"/Contents {6 + 2 * k} 0 R >>"
            )
            objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        out, places = "%PDF-1.4\n", []
        for number, body in enumerate(objects, start=1):
            places.append(len(out))
            out += f"{number} 0 obj\n{body}\nendobj\n"
        table = "".join(f"{place:010d} 00000 n \n" for place in places)
        return (
            f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
        )

    def _put(self, command: str) -> None:
        self._pages[-1].append(command)

    def _up(self, y: float) -> float:
        """PDF counts from the bottom."""
        return HEIGHT - y


def _shown(text: str) -> str:
    """A string as PDF writes it; what the encoding does not have is a question mark."""
    found = []
    for byte in text.encode("cp1252", errors="replace"):
        c = chr(byte)
        if c in "()\\":
            found.append("\\" + c)
        elif 32 <= byte <= 126:  # noqa: PLR2004 - printable ASCII
            found.append(c)
        else:
            found.append(f"\\{byte:03o}")
    return "".join(found)
