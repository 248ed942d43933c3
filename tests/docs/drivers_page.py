"""docs/reference/drivers.md: what each driver does of what a driver can do, each cell with its test.

`test_drivers_page.py` looks every named test up, so that a grade without a proof cannot be written.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.docs.tables import GENERATED, table

CONTRACT = "tests/contracts/test_driver_contract.py"
DRIVERS = ("DNP3", "OPC UA", "example")


@dataclass(frozen=True, slots=True)
class Grade:
    """`word`: what the driver does; `test`: where it is shown, "" for what it does not do."""

    word: str
    test: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a driver can do; `grades` in the order of DRIVERS."""

    what: str
    grades: tuple[Grade, Grade, Grade]


def _all(what: str, test: str) -> Row:
    """Shown by the contract, which runs on every driver."""
    grade = Grade("yes", f"{CONTRACT}::{test}")
    return Row(what, (grade, grade, grade))


def _row(what: str, *grades: tuple[str, str] | str) -> Row:
    dnp3, opcua, example = (Grade(g) if isinstance(g, str) else Grade(*g) for g in grades)
    return Row(what, (dnp3, opcua, example))


_D = "tests/protocols/dnp3"
_O = "tests/protocols/opcua"

CONTRACT_ROWS = (
    _all("every value with quality, native word, source time", "test_every_point_is_read_with_quality_and_time"),
    _all("the device's own time", "test_a_change_carries_the_time_of_the_device"),
    _all("bad quality of the device arrives", "test_bad_device_quality_arrives"),
    _all("unchanged values are proof of life", "test_unchanged_values_are_proof_of_life"),
    _all(
        "dead device: stale within three scans, all read anew after its return, others undisturbed",
        "test_killed_peer_is_lost_in_three_scans_and_comes_back_others_go_on",
    ),
    _all("device that hangs: the same", "test_frozen_peer_is_lost_in_three_scans_and_comes_back"),
    _all("a device that was never there is told as lost", "test_a_driver_without_a_peer_says_so_and_connects_when_it_comes"),
    _all("command, proven by reading back; the exchange kept as evidence", "test_accepted_command_moves_the_plant_and_reads_back"),
    _all("a refusal carries status and sentence", "test_refused_command_carries_status_and_sentence"),
    _all("nothing outside the points file leaves", "test_value_outside_the_points_file_never_leaves"),
    _all("nothing is queued while the link is down", "test_link_down_is_rejected_and_nothing_happens_later"),
    _all("a timeout is *unknown* and never executes late", "test_frozen_peer_is_unknown_and_never_executes_late"),
    _all("a permit works once, and not after its time", "test_permit_works_once"),
    _all("STOP before the wire sends nothing", "test_stop_before_the_wire_sends_nothing"),
    _all("one command at a time", "test_one_command_at_a_time_per_device"),
    _all("lets go within 5 s in every state", "test_stop_takes_at_most_five_seconds"),
)  # fmt: skip

OWN_ROWS = (
    _row(
        "select before operate",
        ("yes", "tests/peers/dnp3/test_outstations.py::test_select_before_operate"),
        "the protocol has none: status first, then method, or write and read back",
        "yes",
    ),
    _row(
        "the device's own reversion timeout",
        ("written before each dispatch", f"{_D}/test_driver.py::test_select_comes_before_operate_and_the_lease_before_both"),
        ("argument of the method, or written", f"{_O}/test_driver.py::test_guarded_write_with_lease"),
        "part of the select",
    ),
    _row(
        "sequence of events, none lost",
        ("yes", "tests/peers/dnp3/test_outstations.py::test_changes_come_unasked"),
        ("yes, with history of a gap", f"{_O}/test_history.py::test_every_change_of_the_gap_is_told_in_order"),
        "no",
    ),
    _row(
        "encryption, mutual",
        ("TLS 1.2, 1.3, name pinned", f"{_D}/test_tls.py::test_a_device_that_is_not_the_one_is_refused"),
        ("three policies, trust list", f"{_O}/test_foreign_servers.py::test_every_policy"),
        "no",
    ),
    _row(
        "backup device",
        ("several endpoints", f"{_D}/test_features.py::test_the_backup_endpoint_takes_over"),
        ("by ServiceLevel", f"{_O}/test_foreign_features.py::test_link_goes_to_the_server_that_feels_well"),
        "no",
    ),
    _row(
        "alarms that the device keeps",
        "no: the protocol has none",
        ("read, acknowledged", f"{_O}/test_conditions.py::test_alarm_is_seen_and_acknowledged"),
        "no",
    ),
    _row(
        "probe",
        ("attributes, points, variations", f"{_D}/test_discovery.py::test_attributes_and_points_with_their_variations"),
        ("browse with units, ranges, access", f"{_O}/test_discovery.py::test_points_with_unit_range_and_access"),
        "no",
    ),
    _row(
        "trace for a person",
        ("words, and pcap for tshark", f"{_D}/test_line.py::test_a_capture_opens_in_tshark_and_reads_as_text"),
        ("words of the clear text", f"{_O}/test_trace.py::test_a_session_reads_as_a_conversation"),
        "commands only",
    ),
)  # fmt: skip


_MORE = (
    "More of each: [DNP3](dnp3.md), [OPC UA](opcua.md); how native quality is translated: "
    "[quality](quality.md)."
)


def named_tests() -> set[str]:
    """Every `path::name` of the page."""
    return {g.test for row in (*CONTRACT_ROWS, *OWN_ROWS) for g in row.grades if g.test}


def drivers_page() -> str:
    """The whole page."""
    heads = ("what", *DRIVERS)
    return (
        "\n\n".join(
            (
                f"""\
# Drivers

{GENERATED}

What each driver does of what one can do. *Example* is the small one of
[write a new driver](../howto/write-a-new-driver.md). Behind each *yes* stands a test; a test of this page looks
all of them up.""",
                "## The contract\n\nThe suite `tests/contracts/test_driver_contract.py` runs on every driver "
                "against a device over real sockets.\n\n" + _table(heads, CONTRACT_ROWS),
                "## What is the protocol's own\n\n" + _table(heads, OWN_ROWS),
                _MORE,
            )
        )
        + "\n"
    )


def _table(heads: tuple[str, ...], rows: tuple[Row, ...]) -> str:
    return table(heads, [(row.what, *(g.word for g in row.grades)) for row in rows])
