"""What a published voltage profile looks like."""

from __future__ import annotations

from collections.abc import Mapping

Profile = Mapping[str, tuple[float | None, float | None, float | None]]
"""By node: phases A, B, C, None where there is no such phase."""
