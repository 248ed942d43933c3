"""The table of OPC UA scenarios: each has a test, on every server or with the reason why not."""

from __future__ import annotations

import pytest

from tests.docs.opcua_scenarios_page import SCENARIOS, servers_of
from tests.peers.opcua import SERVERS

TOLD_A_LIMIT = "o6 sets no limit; we ask for 1,000 at most all the same"


@pytest.mark.parametrize(("name", "test", "why"), SCENARIOS, ids=[one[0] for one in SCENARIOS])
def test_each_scenario_runs_somewhere_and_everywhere_or_says_why(
    name: str, test: str, why: str
) -> None:
    on = servers_of(test)
    assert on, f"{name} runs on no foreign server"
    assert bool(why) == (on != frozenset(SERVERS)) or why == TOLD_A_LIMIT


def test_a_test_that_is_not_there_is_found() -> None:
    with pytest.raises(KeyError):
        servers_of("test_history::test_nothing")
