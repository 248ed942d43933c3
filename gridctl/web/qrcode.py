"""An address as a QR code, for the camera of a telephone (ISO/IEC 18004; ADR 0042)."""

from __future__ import annotations

from dataclasses import dataclass

import segno

QUIET = 4
"""Modules of white around it (ISO/IEC 18004 §6.3.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QrCode:
    """`size`: modules each way, with the quiet zone; `path`: dark modules as an SVG path."""

    size: int
    path: str

    def svg(self) -> str:
        """As an element of a page that has no script."""
        return (
            f'<svg viewBox="0 0 {self.size} {self.size}" width="240" height="240" role="img" '
            'aria-label="QR code of the secret">'
            f'<rect width="{self.size}" height="{self.size}" fill="#fff"/>'
            f'<path d="{self.path}" fill="#000"/></svg>'
        )


def qr_code(text: str) -> QrCode:
    """`text` with error correction M."""
    matrix = segno.make(text, error="m", micro=False).matrix
    runs = [
        f"M{QUIET + start} {QUIET + y}h{length}v1h-{length}z"
        for y, row in enumerate(matrix)
        for start, length in _dark_runs(row)
    ]
    return QrCode(size=len(matrix) + 2 * QUIET, path="".join(runs))


def _dark_runs(row: bytearray) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if not dark:
            continue
        if runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((x, 1))
    return runs
