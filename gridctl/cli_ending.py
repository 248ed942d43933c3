"""How a command ends: with what it said, or with a sentence on stderr and an exit code of its kind.

0 done; 1 refused or not fulfilled; 2 wrong usage; 3 configuration that a person must mend; 4 a part
of gridctl does not answer.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from gridctl.model.errors import ConfigError, GridctlError, UnavailableError

EXIT_REFUSED, EXIT_USAGE, EXIT_CONFIG, EXIT_UNAVAILABLE = 1, 2, 3, 4


def fail(text: str, code: int, *, hint: str = "") -> NoReturn:
    """Say why on stderr and leave."""
    print(f"gridctl: {text}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def ending() -> Iterator[None]:
    """Turns our own errors into exit codes, alone or out of a task group; what is not ours is a bug
    and goes on."""
    try:
        yield
    except GridctlError as error:
        _leave_with(error)
    except ExceptionGroup as group:
        ours = group.subgroup(GridctlError)
        if ours is None or group.split(GridctlError)[1] is not None:
            raise
        first: BaseException = ours
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        _leave_with(first)


def guarded(work: Callable[[], int | None]) -> None:
    """Do `work`; a number that it gives back is the exit code."""
    with ending():
        code = work()
    if code:
        raise typer.Exit(code)


def run_guarded(work: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
    """`guarded`, for a coroutine."""
    guarded(lambda: asyncio.run(work()))


def _leave_with(error: BaseException) -> NoReturn:
    match error:
        case ConfigError():
            code = EXIT_CONFIG
        case UnavailableError():
            code = EXIT_UNAVAILABLE
        case _:
            code = EXIT_REFUSED
    fail(str(error), code)
