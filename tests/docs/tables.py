"""Markdown tables and TOML types, as all generated pages write them."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

GENERATED = "<!-- Generated from the code by `make docs`; a test compares. Do not edit by hand. -->"

_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    date: "local day, as `2026-07-03`",
}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a `|` inside a cell is escaped."""
    lines = [_row(heads), "|" + "---|" * len(heads), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def type_in_words(annotation: Any) -> str:
    """What a person writes for a value of this type."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(type_in_words(a) for a in arguments if a is not type(None))
    if origin in (tuple, list):
        return f"list of {type_in_words(arguments[0])}"
    if origin is dict:
        return "a table for each name"
    if origin is Annotated:
        return type_in_words(arguments[0])
    return "table" if isinstance(annotation, type) else str(annotation)


def bounds_of(annotation: Any) -> list[Any]:
    """What an annotation says beside the type, also inside `X | None`."""
    if get_origin(annotation) is Annotated:
        return [*bounds_of(get_args(annotation)[0]), *annotation.__metadata__]
    if get_origin(annotation) in (Union, types.UnionType):
        return [item for part in get_args(annotation) for item in bounds_of(part)]
    return []


def range_in_words(metadata: Iterable[Any]) -> str:
    """The bounds that pydantic holds a value to, such as `> 0, ≤ 600`."""
    words = []
    for item in _flat(metadata):
        for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤")):
            bound = getattr(item, name, None)
            if bound is not None:
                words.append(f"{sign} {bound:g}")
        if getattr(item, "min_length", None):
            words.append("not empty")
        if getattr(item, "allow_inf_nan", None) is False:
            words.append("finite")
    return ", ".join(dict.fromkeys(words))


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    """pydantic's `Field(…)` inside an `Annotated` holds its bounds in a list of its own."""
    for item in metadata:
        yield item
        yield from getattr(item, "metadata", ())
