"""What the native stack and a device may do to a master, and the test that each does no harm.

Every named test is looked up by tests/docs/test_dnp3_features_page.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Danger:
    """`tests`: as in `dnp3_features_page.Feature`."""

    name: str
    how: str
    tests: tuple[str, ...]


_T, _L, _H = "test_traps", "test_line", "hostile"

TRAPS: tuple[Danger, ...] = (
    Danger(
        "G1: an exception in a function callback ends the process",
        "Callbacks are total; commands have none.",
        (f"{_T}::test_g01_an_error_in_a_function_callback_does_not_end_the_process",),
    ),
    Danger(
        "G2: an exception in an overridden method is swallowed, the events are confirmed, the clock is set to 1970",
        "The methods are total; what could not be taken is not confirmed; a clock that fails sets none.",
        (f"{_T}::test_g02_overridden_methods_are_total_and_a_broken_clock_never_says_1970",
         f"{_L}::test_what_the_handler_did_not_take_is_not_confirmed",
         "test_callbacks::test_a_broken_clock_never_tells_the_device_1970"),
    ),
    Danger(
        "G3: an interpreter that ends without Shutdown hangs",
        "Shut down at exit, whoever forgot it.",
        (f"{_T}::test_g03_the_interpreter_ends_although_nobody_stopped_the_driver",),
    ),
    Danger(
        "G4: a life-cycle call from a callback crashes",
        "They are made by the supervising task, on a thread of their own.",
        (f"{_T}::test_g04_no_life_cycle_call_is_made_from_a_callback_or_on_the_loop",),
    ),
    Danger(
        "G5: AddTCPClient after Shutdown crashes",
        "An error that says so.",
        (f"{_T}::test_g05_after_the_stack_s_end_there_is_an_error_and_no_crash",),
    ),
    Danger(
        "G6: a peer that accepts and closes is dialed 3,000 times a second",
        "The line dials, with growing pauses; what waits for such a peer is told.",
        (f"{_T}::test_g06_a_peer_that_accepts_and_closes_is_not_hammered",
         f"{_T}::test_a_hundred_reads_parked_while_the_peer_accepts_and_closes"),
    ),
    Danger(
        "G7: the summary of a command says SUCCESS although it was refused",
        "Octets, status and indications of the answer are judged.",
        (f"{_T}::test_g07_the_summary_is_not_believed",
         f"{_T}::test_g07_a_clean_echo_with_an_error_in_the_iin_is_not_believed"),
    ),
    Danger(
        "G8: a command that was reported as timed out executes later",
        "SELECT before OPERATE, a permit that expires, nothing queued, the connection reset.",
        (f"{_T}::test_g08_a_frozen_outstation_executes_nothing_later",
         f"{_T}::test_g08_nothing_waits_behind_a_keep_alive"),
    ),
    Danger(
        "G9: its TLS checks no name",
        "It is not used: Python's, with the name pinned.",
        (f"{_T}::test_g09_the_native_tls_is_not_used_at_all",
         "test_tls::test_a_device_that_is_not_the_one_is_refused"),
    ),
    Danger(
        "G10: unsolicited and the start-up poll cannot be chosen",
        "The line chooses.",
        (f"{_T}::test_g10_unsolicited_and_start_up_are_ours_to_choose",),
    ),
    Danger(
        "G11: the end of a read cannot be awaited",
        "The line reads, and knows.",
        (f"{_T}::test_g11_a_read_can_be_awaited_and_says_when_it_did_not_come",),
    ),
    Danger(
        "G12: no statistics, no state of the link, one output a request",
        "They come from the line, which sends the commands, too.",
        (f"{_T}::test_g12_link_state_and_statistics_come_from_the_line",
         "test_commanding::test_a_dispatch_in_one_request_is_one_select_and_one_operate"),
    ),
    Danger(
        "G13: its outstation knows whole numbers only",
        "The simulator's is py1815's.",
        (f"{_T}::test_g13_the_simulator_is_not_yadnp3_s_outstation",),
    ),
    Danger(
        "G14: a command holds the interpreter's lock",
        "No command goes through the stack; the loop is not held up.",
        (f"{_T}::test_g14_a_command_that_holds_the_gil_does_not_hold_up_the_loop",),
    ),
)  # fmt: skip

SURVIVED: tuple[Danger, ...] = (
    Danger(
        "Random octets, answers mutated with right checksums, lying sizes, objects of no length, an octet at a time, "
        "half a frame, another sequence or station, late, four times, every indication at once, restart for ever",
        "All at once beside an honest outstation, which is commanded all the while; each for a minute in `make soak`.",
        (f"{_H}/test_modes::test_quiet_lies_all_at_once", f"{_H}/test_modes::test_a_minute_of_it"),
    ),
    Danger(
        "Endless fragments, endless segments; floods of unsolicited responses, link requests, link answers, noise, "
        "beginnings of frames",
        "Connection dropped; loop lag, memory and the neighbour's commands are watched.",
        (f"{_H}/test_modes::test_flood", f"{_L}::test_a_flood_ends_the_connection_and_others_go_on"),
    ),
    Danger(
        "A parse that costs more than its octets",
        "Blocks, values and memory are bounded by the octets that came, by test on anything.",
        (f"{_H}/test_decoders::test_objects_of_any_kind",
         f"{_H}/test_decoders::test_lies_about_sizes_and_objects_of_no_length"),
    ),
    Danger(
        "A response without end",
        "`response_max_s` and 64 fragments.",
        (f"{_L}::test_an_endless_series_is_given_up", f"{_H}/test_decoders::test_endless_segments_are_not_kept"),
    ),
    Danger(
        "Protocol errors again and again",
        "Counted; beyond the budget the connection ends.",
        (f"{_H}/test_conversation::test_pure_noise_ends_the_connection_soon",),
    ),
    Danger(
        "Accepts and closes, also while a hundred reads wait",
        "Growing pauses with jitter; who waits is told, nothing is sent to the device that comes back.",
        (f"{_T}::test_g06_a_peer_that_accepts_and_closes_is_not_hammered",
         f"{_T}::test_a_hundred_reads_parked_while_the_peer_accepts_and_closes"),
    ),
    Danger(
        "Late, doubled and foreign responses",
        "Dropped and counted; a command's answer is never taken for another's.",
        (f"{_L}::test_foreign_late_and_unasked_answers_are_dropped_and_counted",
         f"{_H}/test_commands::test_a_bad_answer_is_never_success"),
    ),
    Danger(
        "A confirmation of what was not stored",
        "It leaves after the hand-over.",
        (f"{_L}::test_what_the_handler_did_not_take_is_not_confirmed",),
    ),
    Danger(
        "A million mutated frames",
        "Through reader and decoders, and through whole conversations; some thousands in `make test`.",
        (f"{_H}/test_decoders::test_mutated_fragments", f"{_H}/test_conversation::test_mutated_frames"),
    ),
    Danger(
        "A connection or a TLS handshake that does not get on",
        "5 s for both together.",
        (f"{_H}/test_handshake::test_a_handshake_that_is_none",
         f"{_H}/test_handshake::test_a_flood_inside_tls_ends_like_one_outside"),
    ),
    Danger(
        "The native library crashes",
        "The field agent's process starts again, all links are up again within 10 s.",
        ("journeys/test_field_crash::test_a_crash_of_the_native_library_is_the_fields_alone",),
    ),
)  # fmt: skip
