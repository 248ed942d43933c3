"""The hand-written references of VEE and baselines say what the code has: every rule, threshold and
default, every method."""

from __future__ import annotations

import re
from dataclasses import fields

from optimizer.baselines.methods import load_methods
from optimizer.validation.marks import RULES
from optimizer.validation.thresholds import Thresholds
from tests.docs.markdown import ROOT

VEE = (ROOT / "docs/reference/vee-rules.md").read_text("utf-8")
BASELINES = (ROOT / "docs/reference/baselines.md").read_text("utf-8")


def test_every_threshold_stands_there_with_its_default() -> None:
    told = dict(re.findall(r"\| `(\w+)` \| ([^|`]+?) (?=\|)", VEE))
    have = {
        f.name: "none" if f.default is None else f"{f.default:g}"
        for f in fields(Thresholds)
        if isinstance(f.default, int | float | None)
    }
    assert told == have


def test_every_rule_stands_there_with_its_bit() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| ([\w, ]+) \|(?:[^|\n]*\|){4}", VEE, re.MULTILINE))
    for rule in RULES:
        assert (rule.mark.name or "").lower() in rows[str(rule.number)].split(", ")
    assert len(rows) == 21


def test_every_method_stands_there() -> None:
    told = set(re.findall(r"^\| `([\w-]+)` \|", BASELINES, re.MULTILINE))
    assert told == set(load_methods())
