"""Options of a DNP3 link: each bad one is a refusal with file, key and hint."""

from __future__ import annotations

import pytest

from gridctl.model.errors import ConfigError
from protocols.dnp3.settings import read_settings
from protocols.driver import LinkSettings, OptionValue

GOOD: dict[str, OptionValue] = {
    "host": "127.0.0.1",
    "port": 20_001,
    "master_address": 1,
    "outstation_address": 10,
    "response_timeout_s": 2.0,
    "select_timeout_s": 5.0,
}


def link(**changes: OptionValue) -> LinkSettings:
    return LinkSettings(id="SUB", protocol="dnp3", file="gridctl.toml", options=GOOD | changes)


def test_the_demo_s_table_is_read() -> None:
    settings = read_settings(link(heartbeat="SUB.HB"))
    assert (settings.endpoint, settings.outstation_address) == ("127.0.0.1:20001", 10)
    assert (settings.time_sync, settings.disable_unsolicited_at_start) == ("lan", True)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"prot": 1}, "prot"),
        ({"port": 0}, "port"),
        ({"port": 70_000}, "port"),
        ({"port": "20001"}, "port"),
        ({"port": True}, "port"),
        ({"host": 7}, "host"),
        ({"master_address": 65_520}, "master_address"),
        ({"outstation_address": -1}, "outstation_address"),
        # Broadcast with and without confirmation: nobody is commanded all at once.
        ({"outstation_address": 0xFFFD}, "outstation_address"),
        ({"outstation_address": 0xFFFE}, "outstation_address"),
        ({"outstation_address": 0xFFFF}, "outstation_address"),
        ({"event_scan": "0"}, "event_scan"),
        ({"unsolicited": "1,4"}, "unsolicited"),
        ({"commands_together": "yes"}, "commands_together"),
        ({"parity": "even"}, "parity"),
        ({"outstation_address": 1}, "outstation_address"),
        ({"response_timeout_s": 0.0}, "response_timeout_s"),
        ({"response_timeout_s": 2.6}, "response_timeout_s"),
        ({"response_timeout_s": "2"}, "response_timeout_s"),
        ({"time_sync": "ntp"}, "time_sync"),
        ({"disable_unsolicited_at_start": 1}, "disable_unsolicited_at_start"),
    ],
)
def test_a_bad_option_is_refused(changes: dict[str, OptionValue], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(link(**changes))
    assert (caught.value.file, caught.value.key) == ("gridctl.toml", f"field.links.{key}")
    assert "SUB" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("key", sorted(GOOD))
def test_nothing_that_reaches_a_device_has_a_default(key: str) -> None:
    options = {k: v for k, v in GOOD.items() if k != key}
    with pytest.raises(ConfigError, match=f"{key} is missing"):
        read_settings(LinkSettings(id="SUB", protocol="dnp3", file="gridctl.toml", options=options))
