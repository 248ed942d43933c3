"""Drawings: every node and branch is in them, and they are well-formed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from sim.feeder import load_feeder
from sim.feeder_drawing import draw, has_map

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("as_map", [True, False])
def test_every_connected_node_is_drawn_once(as_map: bool) -> None:
    feeder = load_feeder("ieee123")
    root = ET.fromstring(draw(feeder, as_map=as_map))  # noqa: S314 - our own drawing
    places = [(c.get("cx"), c.get("cy")) for c in root.iter(f"{SVG}circle")]
    dead = 0 if as_map else 1  # 610's island is not drawn in a tree
    assert len(places) >= len(feeder.nodes) - 2 * dead - 2
    if not as_map:
        assert len(set(places)) == len(places)
    titles = [t.text or "" for t in root.iter(f"{SVG}title")]
    assert sum(t.startswith("L149-1:") for t in titles) == 1
    assert sum(t.startswith("REG") for t in titles) >= len(feeder.regulators)


def test_a_feeder_without_coordinates_has_no_map() -> None:
    feeder = load_feeder("ieee13")
    assert not has_map(feeder)
    with pytest.raises(ValueError, match="too few"):
        draw(feeder, as_map=True)


def test_names_are_escaped() -> None:
    feeder = replace(load_feeder("ieee13"), name="<A & B>")
    assert ET.fromstring(draw(feeder, as_map=False))[0].text == "<A & B>"  # noqa: S314


def test_nodes_at_one_point_share_a_label_and_every_dot_is_in_the_legend() -> None:
    root = ET.fromstring(draw(load_feeder("ieee123"), as_map=True))  # noqa: S314
    texts = [t.text or "" for t in root.iter(f"{SVG}text")]
    assert "25, 25r" in texts
    assert not {"25", "25r"} & set(texts)
    kinds = {c.get("class") for c in root.iter(f"{SVG}circle")}
    assert kinds - {"node"} <= set(texts)
