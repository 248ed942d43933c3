"""Lines of keys in a TOML file."""

from __future__ import annotations

import tomllib
from typing import Any

from gridctl.tomlplaces import line_of, places

TEXT = '''# a comment with [brackets] = "and more"
top = 1

[site]
name = "a # b [c]"
"quoted key" = 2
a.b = 3
nested = { x = 1, y = [1, 2] }

[[field.links]]
id = "SUB"
many = [
  "one",
  "[two]", # ] = no
  { port = 1 },
]
text = """
port = 9
[not.a.table]
"""
port = 20000

[field.links.defaults]
scan = "fast"

[[field.links]]
id = "DR"
port = 1
[field.links.defaults]
scan = "slow"
'''


def test_each_key_has_the_line_on_which_it_stands() -> None:
    found = places(TEXT)
    assert dict(found) == {
        "top": 2,
        "site": 4,
        "site.name": 5,
        "site.quoted key": 6,
        "site.a.b": 7,
        "site.nested": 8,
        "field.links[0]": 10,
        "field.links[0].id": 11,
        "field.links[0].many": 12,
        "field.links[0].text": 17,
        "field.links[0].port": 21,
        "field.links[0].defaults": 23,
        "field.links[0].defaults.scan": 24,
        "field.links[1]": 26,
        "field.links[1].id": 27,
        "field.links[1].port": 28,
        "field.links[1].defaults": 29,
        "field.links[1].defaults.scan": 30,
    }


def test_a_key_that_is_not_there_is_at_its_table() -> None:
    found = places(TEXT)
    assert line_of(found, "field.links[1].host") == 26
    assert line_of(found, "field.links[1].defaults.group") == 29
    assert line_of(found, "site.nested.y[1]") == 8
    assert line_of(found, "field.links[7].host") == 0
    assert line_of(found, "") == 0


def test_every_key_of_the_parser_is_found() -> None:
    def walk(value: Any, name: str) -> list[str]:
        if isinstance(value, dict):
            return [
                deep for k, v in value.items() for deep in walk(v, f"{name}.{k}" if name else k)
            ]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [deep for i, v in enumerate(value) for deep in walk(v, f"{name}[{i}]")]
        return [name]

    found = places(TEXT)
    assert all(line_of(found, key) for key in walk(tomllib.loads(TEXT), ""))
