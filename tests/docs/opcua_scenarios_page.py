"""What breaks an OPC UA link, and on which servers each of it is tried: read from the tests.

A scenario's servers are what its test says: one that takes the fixture of all makes runs on each of
them, one that starts a server by its name on that one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.peers.opcua import SERVERS

OPCUA = Path(__file__).parents[1] / "protocols" / "opcua"
_OF_ALL_MAKES = frozenset({"make", "peer", "link"})

_F, _E, _Y = "test_foreign_servers", "test_foreign_features", "test_history"

SCENARIOS: tuple[tuple[str, str, str], ...] = (
    ("each security policy, with user and password", f"{_F}::test_every_policy", ""),
    ("server killed and started again", f"{_F}::test_killed_and_restarted", ""),
    ("connection cut, server alive", f"{_F}::test_connection_cut_while_the_server_lives", ""),
    ("black hole", f"{_F}::test_black_hole", ""),
    ("server frozen", f"{_F}::test_frozen_server", ""),
    ("server frozen for less than three keep-alives", f"{_F}::test_short_freeze_is_no_loss", ""),
    ("250 requests parked, the peer accepts and closes",
     f"{_F}::test_requests_parked_while_the_peer_accepts_and_closes", ""),
    ("restart with 3,000 items and a limit of 1,000 a request",
     f"{_F}::test_three_thousand_items_and_a_limit", "o6 sets no limit; we ask for 1,000 at most all the same"),
    ("driver stopped in each of these states", f"{_F}::test_stop_lets_go_in_time", ""),
    ("keys of the channel renewed every 3 s", f"{_F}::test_channel_is_renewed_again_and_again", ""),
    ("server shows another certificate", f"{_F}::test_changed_server_certificate_waits_for_a_person", ""),
    ("server refuses ours: rogue, expired", f"{_F}::test_server_refuses_our_certificate", ""),
    ("ours revoked by its authority", f"{_E}::test_client_certificate_that_its_authority_has_revoked", ""),
    ("the server's expired", f"{_F}::test_server_whose_certificate_has_expired", ""),
    ("the server's revoked by its authority", f"{_E}::test_server_certificate_that_its_authority_has_revoked", ""),
    ("wrong password", f"{_F}::test_wrong_password", ""),
    ("server shows nothing without encryption", f"{_F}::test_server_that_shows_nothing_without_encryption",
     "node-opcua always answers discovery"),
    ("a node that appears later", f"{_F}::test_point_that_appears_later", ""),
    ("namespaces in another order after a restart", f"{_E}::test_namespace_index_that_moves_with_a_restart",
     "o6 has namespaces of compiled models only"),
    ("user known by a certificate", f"{_E}::test_user_known_by_a_certificate", "o6 offers no such user"),
    ("redundant servers, ServiceLevel", f"{_E}::test_link_goes_to_the_server_that_feels_well",
     "o6 sets no ServiceLevel"),
    ("history of a gap", f"{_Y}::test_every_change_of_the_gap_is_told_in_order", ""),
    ("changes while that history is read", f"{_Y}::test_changes_while_the_history_is_read_are_told_once",
     "o6 stamps a value and its history apart"),
    ("no history to be had", f"{_Y}::test_server_without_history_costs_nothing", "the answer is the same"),
    ("command by method", f"{_E}::test_method_carries_command_and_end", ""),
    ("command by write and read-back", f"{_E}::test_write_is_read_back", ""),
    ("command without an answer", f"{_E}::test_no_answer_to_a_command_is_unknown_and_not_repeated", ""),
    ("element of an array", f"{_E}::test_elements_of_an_array", ""),
    ("enumeration, structure", f"{_E}::test_enumeration_is_a_number_and_a_structure_is_none",
     "o6's test server has no structure"),
)  # fmt: skip
"""Scenario, test, and why it does not run on every server."""


@cache
def _functions(file: str) -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    tree = ast.parse((OPCUA / f"{file}.py").read_text(encoding="utf-8"))
    return {
        one.name: one
        for one in tree.body
        if isinstance(one, ast.AsyncFunctionDef | ast.FunctionDef)
    }


def servers_of(test: str) -> frozenset[str]:
    """The foreign servers that a test runs on. Raises KeyError when there is no such test."""
    file, _, name = test.partition("::")
    function = _functions(file)[name]
    if _OF_ALL_MAKES & {argument.arg for argument in function.args.args}:
        return frozenset(SERVERS)
    texts = {
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    return frozenset(SERVERS) & texts


def scenario_rows() -> Iterator[tuple[str, ...]]:
    """Scenario, one column for each server, the test, why not on all."""
    for name, test, why in SCENARIOS:
        on = servers_of(test)
        yield name, *("yes" if make in on else "–" for make in sorted(SERVERS)), f"`{test}`", why
