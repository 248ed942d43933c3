"""From canonical JSON back to the frozen dataclasses it was written from.

The inverse of `gridctl.model.canonical.plain`: numbers stay exactly as they were written (an int
in a float field stays an int), so that a restored plan has the digest that was approved.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]


def restored(kind: type[T], text: str) -> T:
    """The `kind` that canonical JSON `text` was written from.

    Raises ValueError when the text does not have the shape of `kind`.
    """
    return cast(T, _reader(cast(Hashable, kind))(json.loads(text)))


@cache
def _reader(kind: Hashable) -> Reader:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(get_args(kind))
    if origin is tuple:
        return _tuple(get_args(kind))
    if origin is frozenset:
        of = _reader(get_args(kind)[0])
        return lambda raw: frozenset(of(item) for item in _expect(raw, list))
    if origin is dict or origin is Mapping:
        key, value = (_reader(arg) for arg in get_args(kind))
        return lambda raw: {key(k): value(v) for k, v in _expect(raw, dict).items()}
    if origin is Literal:
        return _literal(get_args(kind))
    if is_dataclass(kind):
        return _dataclass(cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _scalar(kind)


def _expect(raw: object, kind: type) -> Any:
    if not isinstance(raw, kind):
        raise ValueError(f"expected {kind.__name__}, found {type(raw).__name__}")
    return raw


def _scalar(kind: Any) -> Reader:
    if kind is float:
        return lambda raw: raw if _is_number(raw) else _expect(raw, float)
    if kind is int:
        return lambda raw: raw if _is_number(raw) else _expect(raw, int)
    if kind in (str, bool):
        return lambda raw: _expect(raw, kind)
    raise TypeError(f"{kind} cannot be restored")


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _literal(allowed: tuple[Any, ...]) -> Reader:
    def read(raw: Any) -> Any:
        if raw not in allowed:
            raise ValueError(f"{raw!r} is none of {allowed}")
        return raw

    return read


def _union(kinds: tuple[Any, ...]) -> Reader:
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) != 1:
        raise TypeError(f"{kinds}: only `X | None` can be restored")
    of = _reader(others[0])
    return lambda raw: None if raw is None else of(raw)


def _tuple(args: tuple[Any, ...]) -> Reader:
    if len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
        of = _reader(args[0])
        return lambda raw: tuple([of(item) for item in _expect(raw, list)])
    each = [_reader(arg) for arg in args]

    def read(raw: Any) -> tuple[Any, ...]:
        return tuple(of(item) for of, item in zip(each, _expect(raw, list), strict=True))

    return read


def _dataclass(kind: type[Any]) -> Reader:
    hints = get_type_hints(kind)
    readers = {f.name: _reader(hints[f.name]) for f in fields(kind)}
    required = {
        f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING
    }

    def read(raw: Any) -> Any:
        found = _expect(raw, dict)
        if not required <= found.keys() <= readers.keys():
            odd = sorted((required - found.keys()) | (found.keys() - readers.keys()))
            raise ValueError(f"{kind.__name__}: missing or unknown {', '.join(odd)}")
        return kind(**{name: readers[name](value) for name, value in found.items()})

    return read
