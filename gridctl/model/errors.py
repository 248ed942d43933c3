"""What can go wrong, in four kinds; everything else is a bug.

    GridctlError
    ├── ConfigError           before start; a human can mend it
    ├── RefusedError          an edge turns a `Refusal` value into an answer (409, 422, exit code)
    ├── UnavailableError      a part is away; bounded retry
    └── InvariantViolation    a bug: freeze actuation, keep telemetry

Pure code returns `Refusal` as a value; only edges raise.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An expected "no": a stable code and the reasons in words that an operator can act on."""

    code: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.code}: {'; '.join(self.reasons)}"


class GridctlError(Exception):
    """Root of all errors that gridctl raises on purpose."""


class ConfigError(GridctlError):
    """A file that a human wrote cannot be used: names file, key and a hint how to mend it.

    `line` is where the key stands in the file, 0 when that is not known.
    """

    def __init__(
        self, message: str, *, file: str, key: str = "", hint: str = "", line: int = 0
    ) -> None:
        self.message = message
        self.file = file
        self.key = key
        self.hint = hint
        self.line = line
        where = ":".join(part for part in (file, str(line) if line else "", key) if part)
        super().__init__(f"{where}: {message}" + (f" (hint: {hint})" if hint else ""))


class RefusedError(GridctlError):
    """A `Refusal` that has reached an edge."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


class UnavailableError(GridctlError):
    """A part that should answer does not (link, store, solver); a bounded retry may help."""


class InvariantViolation(GridctlError):  # noqa: N818 - the architecture's own word
    """Something that cannot be true is: a bug. Actuation freezes, telemetry goes on."""
