"""The features of a DNP3 master that users ask for, one by one: what was done of each, and the test.

Every named test is looked up by tests/docs/test_dnp3_features_page.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
PLACES = {
    "": TESTS / "protocols" / "dnp3",
    "peers/": TESTS / "peers" / "dnp3",
    "journeys/": TESTS / "journeys",
}

DONE, AROUND, NOT = "done", "solved around", "not done"


@dataclass(frozen=True, slots=True)
class Feature:
    """`state`: done; solved around (yadnp3 cannot, the line does); not done. `tests`: file::test,
    below tests/protocols/dnp3, or below tests/peers/dnp3 with `peers/` before it."""

    name: str
    state: str
    how: str
    tests: tuple[str, ...]


def place_of(test: str) -> tuple[Path, str]:
    """File and function of a named test."""
    file, _, function = test.partition("::")
    prefix = next(one for one in sorted(PLACES, reverse=True) if file.startswith(one))
    return PLACES[prefix] / f"{file.removeprefix(prefix)}.py", function


FEATURES: tuple[Feature, ...] = (
    Feature(
        "Start", DONE,
        "DISABLE_UNSOLICITED, clear restart, everything (classes 1, 2, 3, 0), time, ENABLE_UNSOLICITED.",
        ("test_line::test_start_up_takes_its_order_and_values_arrive",),
    ),
    Feature(
        "Device that ignores function 21", AROUND,
        "The line answers in its place after 0.8 of the answer time, and remembers.",
        ("test_features::test_an_rtu_that_ignores_disable_unsolicited_is_started_all_the_same",),
    ),
    Feature(
        "Polls of classes 0 to 3", AROUND,
        "Everything each `integrity_s`; event classes by periods of their own; links that come up together poll "
        "apart. A point that reports by exception is told again each `scan_s` while the device answers.",
        ("test_features::test_each_class_has_its_own_period_and_ranges_are_scanned",
         "test_line::test_by_exception_points_stay_alive_by_proof_of_life_and_die_with_the_device"),
    ),
    Feature(
        "Range scans", AROUND, "`scans`: group, range and period.",
        ("test_features::test_each_class_has_its_own_period_and_ranges_are_scanned",),
    ),
    Feature(
        "Confirm after hand-over", AROUND,
        "Leaves after the values are in the inbox. When they could not be taken it is held back, and the device "
        "tells its events again.",
        ("test_line::test_what_the_handler_did_not_take_is_not_confirmed",
         "test_line::test_a_series_of_fragments_is_confirmed_one_by_one"),
    ),
    Feature(
        "Unsolicited, by class", AROUND,
        "Null and data; enabled for the classes of `unsolicited` (the stack knows no mask).",
        ("test_features::test_unsolicited_is_enabled_by_class",
         "test_driver::test_events_come_unasked_and_the_clock_is_set",
         "peers/test_outstations::test_changes_come_unasked"),
    ),
    Feature(
        "Duplicates of unsolicited", DONE,
        "Same sequence and same octets: confirmed again, taken once.",
        ("test_line::test_a_repeated_unsolicited_response_is_confirmed_again_and_taken_once",),
    ),
    Feature(
        "Event scans (IIN1.1 to 1.3)", AROUND,
        "The classes of `event_scan` whose bits are set are read at once; one that the device may report unasked "
        "is left to it for two answer times first, so that the read does not cross its report. As long as events "
        "come, at most each 0.2 s; a bit that never falls is asked after at growing pauses, at last each minute.",
        ("test_features::test_events_that_the_device_says_it_holds_are_read_at_once",
         "test_features::test_only_the_classes_that_are_wanted_are_read_on_occasion",
         "test_features::test_a_device_that_reports_unasked_is_left_to_it_first",
         "test_features::test_a_bit_that_never_falls_is_asked_after_less_and_less"),
    ),
    Feature(
        "Restart (IIN1.7)", DONE, "Cleared, then everything is read. At most three clears in 30 s.",
        ("test_features::test_a_restart_is_cleared_and_read_again_and_not_for_ever",),
    ),
    Feature(
        "Event overflow (IIN2.3)", DONE,
        "Exactly one poll of everything for each time the bit rises, at most one in 10 s.",
        ("test_features::test_an_event_overflow_brings_exactly_one_integrity_poll",),
    ),
    Feature(
        "Need time (IIN1.4)", DONE,
        "LAN or non-LAN procedure or plain write, at most once a minute. What is written is the time at which the "
        "request left the line, not at which the stack thought of it.",
        ("test_features::test_the_clock_is_set_as_the_device_needs_it",
         "test_clocksetting::test_on_a_lan_it_is_the_time_at_which_record_current_time_left",
         "test_clocksetting::test_elsewhere_it_is_now_and_the_way_to_the_device",
         "peers/test_outstations::test_the_clock_is_set_when_asked"),
    ),
    Feature(
        "Quality and time quality", DONE,
        "Tables below. Times are `unsynchronized` while IIN1.4 is set.",
        ("test_codec::test_every_octet_of_every_group_has_a_quality_and_only_online_can_be_good",
         "test_line::test_need_time_makes_the_device_s_own_times_doubtful",
         "test_values::test_relative_time_needs_a_common_one_and_takes_its_quality"),
    ),
    Feature(
        "Types", AROUND,
        "g1 to 4, 10, 11, 20 to 23, 30 to 33, 40, 42, 110, 111 in all variations, common time (g51): double bits, "
        "frozen counters, frozen analogs, octet strings (worth the number that they spell), output status. What "
        "others command (g13, g43) is logged.",
        ("test_values::test_every_variation_is_read_as_the_native_stack_reads_it",
         "test_features::test_every_kind_of_point_arrives_with_its_quality",
         "test_values::test_what_others_commanded_is_noted_and_moves_nothing"),
    ),
    Feature(
        "Unknown objects", AROUND,
        "Named on the communications screen; what stood before them in the fragment is kept.",
        ("test_line::test_an_unknown_object_costs_itself_and_what_stands_behind_it",),
    ),
    Feature(
        "Device attributes (g0)", DONE, "Read by `gridctl probe`.",
        ("test_discovery::test_attributes_and_points_with_their_variations",),
    ),
    Feature(
        "Assign class, deadbands", DONE,
        "A group's `event_class` by ASSIGN_CLASS, deadbands by g34v3 (`write_deadbands`).",
        ("test_features::test_classes_are_assigned_and_deadbands_written_as_the_points_file_says",),
    ),
    Feature(
        "Freeze of counters", DONE, "IMMEDIATE_FREEZE or FREEZE_CLEAR each `freeze_counters_s`.",
        ("test_features::test_counters_are_frozen",),
    ),
    Feature(
        "SELECT before OPERATE", AROUND,
        "Both are compared octet by octet with the permit in the moment in which they leave, the answers with what "
        "was sent; each object's status counts, and so do the indications. STOP between the two withholds OPERATE. "
        "The exchange is kept as evidence. Three results: accepted, rejected, unknown.",
        ("test_traps::test_g07_the_summary_is_not_believed",
         "test_traps::test_stop_between_select_and_operate_lets_no_operate_out",
         "test_traps::test_the_exchange_of_a_command_is_kept_as_evidence",
         "hostile/test_commands::test_a_bad_answer_is_never_success",
         "peers/test_outstations::test_select_before_operate"),
    ),
    Feature(
        "Analog outputs", DONE,
        "g41v1 to v4, by the column `command`: `ao-int32`, `ao-int16`, `ao-float`, `ao-double`. What does not fit, "
        "and a rest that is more than the point's tolerance, is refused before the wire; limits that cannot fit "
        "are refused when the file is read.",
        ("test_commanding::test_the_points_file_chooses_the_object_that_leaves",
         "test_commanding::test_what_cannot_be_said_is_refused_before_the_wire",
         "test_outputs::test_limits_that_do_not_fit_are_found_when_the_file_is_read",
         "peers/test_forms::test_each_variation_and_each_pulse"),
    ),
    Feature(
        "Relay outputs", DONE,
        "g12v1: `crob-latch`; `crob-pulse:ON/OFFxCOUNT` (1 alone); `crob-trip-close:ON/OFFxCOUNT` (1 closes, 0 "
        "trips); times in ms. Whether it was followed is read at the feedback point.",
        ("test_commanding::test_the_points_file_chooses_the_object_that_leaves",
         "test_outputs::test_a_command_that_cannot_be_is_refused_with_what_could",
         "peers/test_forms::test_each_variation_and_each_pulse"),
    ),
    Feature(
        "Several outputs in one request", AROUND,
        "`commands_together`: lease, setpoint and enabling output in one SELECT and one OPERATE. One refusal at "
        "SELECT voids all; a part accepted at OPERATE is *unknown*.",
        ("test_commanding::test_a_dispatch_in_one_request_is_one_select_and_one_operate",
         "test_commanding::test_one_refusal_among_several_voids_the_select",
         "peers/test_forms::test_several_outputs_in_one_request",
         "peers/test_mesa::test_in_one_request_a_refused_dispatch_changes_nothing_at_all"),
    ),
    Feature(
        "DER of IEEE 1815.2", DONE,
        "Active power limit with enabling output, read-back, refusal out of range, and the reversion timeout "
        "with every dispatch ([peers](dnp3-peers.md)).",
        ("peers/test_mesa::test_a_dispatch_is_limit_enable_and_timeout_and_is_read_back",
         "peers/test_mesa::test_the_timeout_is_written_with_every_dispatch",
         "peers/test_mesa::test_out_of_range_is_refused_by_the_device_and_changes_nothing",
         "peers/test_mesa::test_a_der_without_the_timeout_is_not_dispatched"),
    ),
    Feature(
        "Time to live, nothing queued, no late execution", AROUND,
        "A permit expires; nothing waits while a link is down or a keep-alive is pending; an unknown outcome "
        "resets the connection and is read back, never sent again.",
        ("test_traps::test_g08_a_frozen_outstation_executes_nothing_later",
         "test_traps::test_g08_nothing_waits_behind_a_keep_alive",
         "test_driver::test_an_unknown_outcome_tears_the_channel_down"),
    ),
    Feature(
        "Keep-alive that closes", AROUND,
        "REQUEST_LINK_STATUS after `keep_alive_s` of silence; unanswered it resets the connection.",
        ("test_line::test_a_keep_alive_that_is_not_answered_closes_the_connection",),
    ),
    Feature(
        "Link layer of the device", AROUND,
        "Confirmed user data is acknowledged and taken once, the device's link requests are answered.",
        ("test_linklayer::test_confirmed_data_is_acknowledged_each_time_and_taken_once",
         "test_linklayer::test_what_the_device_asks_of_the_link_is_answered"),
    ),
    Feature(
        "Backup endpoint", DONE,
        "In turn with the first; pauses of 0.25 to 5 s with jitter. Everything of the old connection is thrown "
        "away with it.",
        ("test_features::test_the_backup_endpoint_takes_over",
         "test_traps::test_g06_a_peer_that_accepts_and_closes_is_not_hammered"),
    ),
    Feature(
        "Serial line", AROUND,
        "`serial` and `baud` instead of host and port, on the line's own transport: 8 data bits, exclusive, one "
        "device on each. Proven on pseudo terminals, not on hardware.",
        ("test_serialport::test_a_device_on_a_serial_line_is_read_and_commanded",
         "test_serialport::test_a_cable_that_is_pulled_is_noticed_and_found_again",
         "peers/test_serial::test_a_foreign_outstation_on_a_serial_line"),
    ),
    Feature(
        "TLS 1.2 and 1.3", AROUND,
        "Mutual, name pinned, on Python's OpenSSL; end of both certificates in the link's health.",
        ("test_tls::test_values_come_over_mutual_tls", "test_tls::test_a_device_that_is_not_the_one_is_refused"),
    ),
    Feature(
        "Limits", AROUND,
        "2,048 octets a fragment, 64 fragments and `response_max_s` a response, 200 unsolicited responses at once "
        "and 50/s, 40 link requests at once and 4/s, 32 protocol errors at once and 2/s; beyond it the connection "
        "ends. 8,192 octets a turn of the event loop.",
        ("test_line::test_an_endless_series_is_given_up", "hostile/test_modes::test_flood"),
    ),
    Feature(
        "Statistics, capture", AROUND,
        "Counters, round trips and indications in the link's health; the last 4 MiB of a link as pcap and as text, "
        "clear text inside TLS.",
        ("test_traps::test_g12_link_state_and_statistics_come_from_the_line",
         "test_line::test_a_capture_opens_in_tshark_and_reads_as_text"),
    ),
    Feature(
        "Nagle in the device", AROUND, "TCP_NODELAY and TCP_QUICKACK on our socket.",
        ("test_line::test_a_device_with_nagle_on_does_not_cost_a_poll_its_time",),
    ),
    Feature(
        "Many outstations", DONE, "One connection and one master each, in one process.",
        ("test_features::test_many_outstations_in_one_process_come_and_go",),
    ),
    Feature(
        "DIRECT OPERATE, with and without acknowledgement", NOT,
        "Can execute seconds after it was reported as timed out; "
        "[ADR 0004](../adr/0004-select-before-operate.md). No function 5 or 6 ever leaves.",
        ("test_commanding::test_what_the_stack_could_do_by_itself_never_leaves",
         "test_conversation::test_a_function_leaves_or_is_answered_in_the_device_s_place"),
    ),
    Feature(
        "Cold and warm restart of the device", NOT,
        "Functions 13 and 14 know no SELECT, so no safeguard could stand between approval and wire (SG-01), and a "
        "restart takes every setpoint and its reversion timeout with it. It is done with the device's own tool.",
        ("test_commanding::test_what_the_stack_could_do_by_itself_never_leaves",
         "test_conversation::test_a_function_leaves_or_is_answered_in_the_device_s_place"),
    ),
    Feature(
        "Broadcast", NOT,
        "A command to everybody cannot be confirmed: broadcast addresses are a configuration error, frames to them "
        "are foreign. That somebody else's broadcast reached a device (IIN1.0) is shown.",
        ("test_settings::test_a_bad_option_is_refused",
         "test_features::test_somebody_else_s_broadcast_is_shown",
         "test_linklayer::test_what_is_for_everybody_or_somebody_else_is_not_taken_and_not_answered"),
    ),
    Feature("Secure authentication (SAv5, SAv6)", NOT, "yadnp3 cannot; mutual TLS instead.", ()),
    Feature("Several devices on one line (multi-drop)", NOT, "One connection for each device.", ()),
    Feature(
        "File transfer, virtual terminal, data sets, ACTIVATE_CONFIG", NOT, "Not needed to see or move power.",
        ("test_conversation::test_a_function_leaves_or_is_answered_in_the_device_s_place",),
    ),
    Feature("Time and interval (g50v4)", NOT, "Decoded in traces; it is no value of a point.", ()),
)  # fmt: skip
