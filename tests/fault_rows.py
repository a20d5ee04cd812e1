"""The rows of the fault catalogue: what goes wrong, the test that shows it, the kind of fault in the world that does.

A test is named by its file and its name; a kind is a row of `joed.sim.faults.FAULTS`, whose figures are measured in a
small world. Where nothing shows a row yet, the words say what it waits for.
"""

from typing import NamedTuple

BROKER, HOUSE = "tests/sim/test_broker_faults.py", "tests/sim/test_house_faults.py"
ALONE = "test_each_kind_alone_breaks_no_law"
UNITS, PACKAGE = "tests/packaging/test_units.py", "tests/packaging/test_make_deb.py"
WORLD = "tests/sim/test_world.py::test_no_law_is_broken"
CRASHES = "tests/sim/test_crashes.py::test_no_crash_breaks_a_law"
TWS = "tests/brokers/ibkr"
TWS_LINK = f"{TWS}/test_link.py"
CAPITAL = "tests/brokers/capital"
BEFORE, NEVER = "before it runs", "never"
"""What stands in the place of a time where there is none: held before any joed runs; looked for, and not there."""


class Row(NamedTuple):
    """One row: what goes wrong, where it is shown (or what that waits for), the world's kinds of fault, more tests.

    `untimed` says why there is nothing to time, where there is not.
    """

    what: str
    shown: str
    kinds: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    untimed: str = ""


def alone(what: str, *kinds: str, file: str = BROKER) -> Row:
    """Give a row that the world shows, each kind by itself and all together."""
    return Row(what, f"{file}::{ALONE}", kinds)


FAULTS: dict[str, Row] = {
    "F1": Row("killed at each commit and hand-over", CRASHES, ("cut",)),
    "F2": Row(
        "killed between send and ack, IBKR",
        f"{TWS_LINK}::test_a_process_killed_between_send_and_answer_makes_no_second_order_and_loses_none",
    ),
    "F3": Row(
        "killed between send and ack, Capital.com",
        "tests/brokers/capital/test_crash_points.py::test_c3_a_crash_after_the_bytes_and_before_the_answer_finds_the_order",
    ),
    "F4": Row(
        "killed between a bracket's parent and its last child",
        f"{TWS}/test_broker.py::test_a_bracket_whose_link_dies_between_its_legs_is_no_order_and_is_cleared_away",
    ),
    "F5": Row(
        "the process is stopped",
        "tests/faults/test_kill.py::test_f5_a_stopped_process_is_killed_and_sends_nothing_when_it_goes_on",
    ),
    "F6": Row(
        "the loop is blocked",
        "tests/engine/test_health.py::test_a_loop_that_stood_still_opens_nothing_until_it_is_well",
        ("stall",),
    ),
    "F7": Row(
        "one task dead, the loop alive",
        "tests/systemd/test_life.py::test_a_disk_that_never_answers_starves_the_watchdog_though_the_loop_is_alive",
    ),
    "F8": Row(
        "crash loop",
        "tests/faults/test_process.py::test_f8_a_crash_loop_latches_a_kill_and_leaves_stops_to_the_broker",
        ("crash_loop",),
    ),
    "F9": Row(
        "asked to stop, twice, while sending",
        "tests/faults/test_process.py::test_f9_a_second_term_while_orders_are_sent_ends_it_with_entries_on_their_way_out",
        ("stop",),
    ),
    "F10": Row(
        "asked to stop while a broker hangs",
        "tests/faults/test_process.py::test_f10_a_broker_that_hangs_does_not_hold_up_the_end",
    ),
    "F11": Row(
        "killed for want of memory",
        "tests/faults/test_process.py::test_f11_a_process_that_the_kernel_ends_for_want_of_memory_recovers",
        ("cut",),
    ),
    "F12": Row(
        "no memory in a handler",
        "tests/faults/test_process.py::test_f12_no_memory_in_a_handler_is_a_clean_end_and_not_half_a_state",
        ("poison",),
    ),
    "F13": Row(
        "no descriptors left",
        "tests/daemon/test_control_faults.py::test_f13_a_thousand_clients_of_a_process_with_few_descriptors",
    ),
    "F14": Row(
        "no threads left",
        "tests/faults/test_starving.py::test_f14_without_a_new_thread_or_process_orders_leave_and_a_kill_holds",
    ),
    "F15": Row(
        "the processor is taken",
        "tests/faults/test_starving.py::test_f15_a_processor_that_others_have_taken_is_told_of_and_no_broker_is_taken_for_dead",
    ),
    "F16": Row(
        "power cut",
        "tests/faults/test_process.py::test_f16_what_a_power_cut_leaves_of_the_last_commit_is_dropped",
        ("cut",),
    ),
    "F17": Row(
        "a second joed", "tests/faults/test_process.py::test_f17_a_second_joed_is_refused_by_the_pid_of_the_first"
    ),
    "F18": Row(
        "another build takes over",
        "tests/faults/test_process.py::test_f18_a_journal_of_a_newer_build_is_refused_and_goes_on_with_that_one",
        ("upgrade",),
    ),
    "F19": Row(
        "configuration changed or invalid",
        "tests/test_config.py::test_each_mistake_is_told_with_its_key_value_file_and_line",
        ("reconfigure",),
    ),
    "F20": Row(
        "half a deployment",
        "tests/daemon/test_installed.py::test_half_a_deployment_refuses_a_live_account",
    ),
    "F21": Row(
        "disk full",
        "tests/faults/test_disk.py::test_f21_a_full_disk_stops_entries_answers_a_kill_and_loses_nothing",
        ("full_disk",),
    ),
    "F22": Row(
        "there is room again",
        "tests/faults/test_disk.py::test_f22_space_that_returns_frees_nobody_until_a_person_releases",
        ("full_disk",),
    ),
    "F23": Row(
        "EIO at a sync", "tests/faults/test_disk.py::test_f23_a_sync_that_fails_ends_joed_which_recovers", ("eio",)
    ),
    "F24": Row(
        "EIO at a read or a checkpoint",
        "tests/faults/test_disk.py::test_f24_a_read_that_fails_ends_joed_which_recovers",
    ),
    "F25": Row(
        "a sync takes long",
        "tests/faults/test_disk.py::test_f25_a_disk_that_hangs_is_told_of_holds_orders_back_and_not_the_loop",
        ("slow_disk",),
    ),
    "F26": Row(
        "a disk that lies, and a power cut",
        "tests/faults/test_disk.py::test_f26_a_disk_that_lied_about_the_last_commits_is_found_out",
    ),
    "F27": Row(
        "a torn or flipped page", "tests/faults/test_disk.py::test_f27_a_page_that_is_not_what_was_written_is_refused"
    ),
    "F28": Row("an old copy put back", "tests/faults/test_disk.py::test_f28_a_write_ahead_log_that_is_gone_is_missed"),
    "F29": Row(
        "read-only", "tests/faults/test_disk.py::test_f29_a_disk_that_turns_read_only_stops_entries_and_not_joed"
    ),
    "F30": Row(
        "state directory of a wrong owner or mode",
        "tests/faults/test_process.py::test_f30_a_state_directory_that_others_can_change_is_refused",
    ),
    "F31": Row("the log stalls", "tests/faults/test_process.py::test_f31_a_log_that_nobody_reads_holds_up_nothing"),
    "F32": Row("a long journal", "tests/faults/test_process.py::test_f32_a_long_journal_does_not_make_a_long_start"),
    "F33": alone("the wall clock is set", "clock_step", file=HOUSE),
    "F34": Row(
        "suspended for two hours", "tests/sim/test_house_faults.py::test_two_hours_of_sleep_are_survived", ("suspend",)
    ),
    "F35": Row(
        "changes of clocks, half days, holidays",
        "tests/systemd/test_timers.py::test_at_an_early_close_joed_ends_by_itself",
    ),
    "F36": Row(
        "no time zones", "tests/systemd/test_timers.py::test_a_calendar_that_cannot_be_read_is_a_failure_and_no_holiday"
    ),
    "F37": alone("the broker's clock is off", "broker_clock"),
    "F38": Row(
        "midnight within an outage",
        f"{TWS_LINK}::test_f38_what_filled_before_a_midnight_within_the_loss_is_seen_by_position_and_order_alone",
        also=(
            "tests/engine/test_midnight.py::test_f38_an_entry_that_filled_unheard_and_lost_its_executions_is_told_and_its_stop_stays",
            "tests/engine/test_midnight.py::test_f38_a_stop_that_filled_unheard_and_lost_its_executions_is_told_and_closes_nothing_twice",
        ),
    ),
    "F39": Row("the link breaks", WORLD, ("disconnect",)),
    "F40": Row("half-open link", f"{TWS}/test_session.py::test_a_pulled_cable_without_fin_is_known_within_8_s"),
    "F41": Row(
        "the peer is gone without a word",
        f"{TWS}/test_session.py::test_a_gateway_that_stops_answering_is_known_although_prices_still_come",
    ),
    "F42": Row("1100, 1101, 1102", f"{TWS_LINK}::test_lost_servers_are_a_lost_link_although_the_socket_lives"),
    "F43": Row("fills while the link was gone", WORLD, ("disconnect", "lost_reports")),
    "F44": Row(
        "two numbers of one order",
        "tests/engine/test_strangers.py::test_of_two_orders_under_one_id_both_count_and_one_is_cancelled",
    ),
    "F45": alone("a snapshot times out or has no end", "lost_reads", "partial_reads"),
    "F46": Row(
        "TWS restarts, client id in use",
        f"{TWS}/test_session.py::test_a_client_id_in_use_fails_at_once_and_is_asked_for_again",
    ),
    "F47": Row(
        "nextValidId goes back",
        f"{TWS_LINK}::test_a_gateway_that_restarts_and_numbers_from_lower_down_loses_and_doubles_nothing",
    ),
    "F48": alone("late by seconds", "late_entries", "lag"),
    "F49": Row("the link flaps", WORLD, ("flap",)),
    "F50": Row(
        "names, certificates",
        "tests/brokers/capital/test_over_tls.py::test_f50_nothing_is_sent_where_a_name_or_a_certificate_is_not_in_order",
        also=("tests/brokers/capital/test_over_tls.py::test_f50_a_login_that_cannot_be_sent_is_told_in_words",),
    ),
    "F51": Row("a feed that is silent", WORLD, ("silence", "blind")),
    "F52": Row(
        "WebSocket limits and pings",
        "tests/brokers/capital/test_stream.py::test_an_edge_that_cuts_idle_sockets_is_never_idle_for_us",
    ),
    "F53": Row(
        "401 in the middle of an order",
        "tests/brokers/capital/test_session.py::test_a_write_that_meets_a_dead_session_is_not_sent_again",
    ),
    "F54": Row("429 storms", "tests/brokers/capital/test_rest.py::test_a_429_slows_down_what_does_not_protect"),
    "F55": alone("an answer that nobody can read", "doubt"),
    "F56": Row(
        "another account is active",
        "tests/brokers/capital/test_link.py::test_an_account_that_was_switched_elsewhere_ends_the_link_at_the_next_look",
    ),
    "F57": Row(
        "one broker down, the other fine", "tests/wired/test_both.py::test_two_brokers_at_once_and_one_that_fails"
    ),
    "F58": alone("the same fill twice", "repeats", "late_repeats"),
    "F59": alone("a fill before its acknowledgement", "shuffle", "mute"),
    "F60": alone("words out of order", "shuffle"),
    "F61": alone("corrections and busts", "correction", "bust"),
    "F62": alone("a fill after its cancel", "late_fill"),
    "F63": alone("a cancel refused", "cancel_rejected"),
    "F64": alone("a cancel lost", "lost_cancels"),
    "F65": alone("filled in part, then cut off", "partials"),
    "F66": alone("filled in part, then the time-out", "partials"),
    "F67": alone("the stop is refused", "stop_rejected"),
    "F68": alone("an exit whose position was closed by hand", "manual"),
    "F69": alone("target and stop both fill", "both_fill"),
    "F70": alone("a person trades in the account", "manual"),
    "F71": alone("a person's orders", "manual_order"),
    "F72": alone("a position changes without a trade", "split"),
    "F73": Row("trading is halted", WORLD, ("halt",)),
    "F74": alone("refused, for many reasons", "rejects", "odd_reject", "refuse_late"),
    "F75": alone("words that nobody knows", "odd_words"),
    "F76": alone("confirmed, then unknown", "doubt"),
    "F77": Row(
        "two candidates for one order",
        "tests/brokers/capital/test_evidence.py::test_two_rows_with_one_fingerprint_are_a_persons_to_tell_apart",
    ),
    "F78": alone("an order given up shows itself", "late_entries"),
    "F79": alone("news that are late and repeated", "late_repeats"),
    "F80": Row(
        "netting or hedging is toggled",
        "tests/brokers/capital/test_link.py::test_a_hedging_mode_that_is_switched_halts_entries_within_a_minute_and_no_exit",
    ),
    "F81": alone("prices that cannot be", "bad_print", "stale"),
    "F82": alone("a storm of quotes", "storm"),
    "F83": Row(
        "an event that a rule cannot handle",
        "tests/daemon/test_daemon.py::test_an_event_that_a_rule_cannot_handle_ends_the_process_and_not_the_next",
        ("poison",),
    ),
    "F84": Row(
        "messages of another version",
        f"{TWS}/test_session.py::test_what_is_only_new_or_no_price_is_passed_over",
    ),
    "F85": Row(
        "the nightly reset",
        f"{TWS_LINK}::test_a_loss_within_the_reset_window_says_that_it_was_expected",
    ),
    "F86": Row("a gap through a bracket", WORLD, ("jump",)),
    "F87": alone("a close is refused", "close_rejected"),
    "F88": alone("the same signals ten thousand times", "repeat_signals", file=HOUSE),
    "F89": Row(
        "a kill while the loop is blocked",
        "tests/faults/test_kill.py::test_f89_a_blocked_loop_is_killed_and_opens_nothing_after",
        ("kill_while",),
    ),
    "F90": alone("a kill while the disk is full", "kill_while", file=HOUSE),
    "F91": Row(
        "a kill while the broker is down",
        "tests/faults/test_kill.py::test_f91_a_kill_while_the_broker_is_down_holds_and_cancels_when_it_is_back",
        ("kill_while",),
    ),
    "F92": Row(
        "a kill races a send", "tests/faults/test_kill.py::test_f92_a_kill_races_commands_on_their_way", ("kill",)
    ),
    "F93": Row(
        "a kill, then a power cut",
        "tests/faults/test_kill.py::test_f93_a_kill_outlives_a_power_cut_and_starts_the_next_day_killed",
        ("kill_while",),
    ),
    "F94": Row(
        "a confirmation for another day or config",
        "tests/engine/test_confirming.py::test_any_other_card_is_refused_by_its_own_code",
    ),
    "F95": alone("the same request again", "ask_twice", file=HOUSE),
    "F96": alone("alerts do not get through", "alerts_down", file=HOUSE),
    "F97": Row(
        "a timer on a holiday, or missed",
        "tests/systemd/test_timers.py::test_on_a_holiday_the_gate_is_skipped_and_nothing_has_failed",
    ),
    "F98": Row("no manager to talk to", "tests/daemon/test_systemd.py::test_outside_systemd_nothing_happens"),
}
"""Every row of the catalogue."""

ATTACK = "tests/daemon/test_control_attacks.py"
PAGE, BROWSER, GATE = "tests/daemon/web/test_server.py", "tests/web/test_attacks.py", "tests/daemon/web/test_gate.py"
SCRAPES = "tests/daemon/test_metrics.py"
FENCE = "tests/daemon/test_fence.py"
ATTACKS: dict[str, Row] = {
    "S1": Row("another user connects", f"{ATTACK}::test_s1_another_user_cannot_connect"),
    "S2": Row(
        "a viewer asks for more",
        f"{ATTACK}::test_s2_a_viewer_changes_nothing_and_leaves_a_trace",
        also=(f"{ATTACK}::test_s2_a_flood_of_denied_requests_does_not_fill_the_record",),
    ),
    "S3": Row("a descriptor is passed on", f"{ATTACK}::test_s3_a_connection_belongs_to_who_opened_it"),
    "S4": Row("a process number is used again", f"{ATTACK}::test_s4_a_process_that_is_gone_lends_nobody_its_role"),
    "S5": Row(
        "64 KiB and one byte",
        f"{ATTACK}::test_s5_what_is_too_long_is_closed_at_64_kib",
        also=(f"{ATTACK}::test_s5_a_gibibyte_without_a_newline_takes_no_memory",),
    ),
    "S6": Row("a slow writer", f"{ATTACK}::test_s6_a_byte_at_a_time_is_dropped_and_others_are_not_kept_waiting"),
    "S7": Row("thousands of connections", f"{ATTACK}::test_s7_a_crowd_at_the_door_keeps_nobody_else_out"),
    "S8": Row(
        "an answer that nobody reads", f"{ATTACK}::test_s8_a_reader_who_never_reads_fills_no_memory_and_is_dropped"
    ),
    "S9": Row("deep and odd JSON", f"{ATTACK}::test_s9_json_that_is_none_or_too_much_is_a_typed_error"),
    "S10": Row("unknown verbs and fields", f"{ATTACK}::test_s10_what_is_not_in_the_schema_is_refused_by_name"),
    "S11": Row(
        "thousands of commands",
        f"{ATTACK}::test_s11_twenty_changes_a_second_and_any_number_of_kills",
        also=(f"{ATTACK}::test_s11_pipelined_commands_are_one_command",),
    ),
    "S12": Row("a key used again", f"{ATTACK}::test_s12_a_replayed_request_is_answered_and_a_changed_one_refused"),
    "S13": Row(
        "words that steer a terminal", f"{ATTACK}::test_s13_words_that_steer_a_terminal_are_refused_in_and_written_out"
    ),
    "S14": Row(
        "something in the socket's place",
        f"{ATTACK}::test_s14_a_socket_that_somebody_else_made_is_refused",
        also=(f"{ATTACK}::test_s14_a_link_is_not_followed_and_a_stale_socket_is_replaced",),
    ),
    "S15": Row("two confirmations race", f"{ATTACK}::test_s15_of_two_confirmations_one_wins"),
    "S16": Row("a card is guessed", f"{ATTACK}::test_s16_a_guessed_card_is_guessed_five_times"),
    "S17": Row(
        "a name that was made to lead here",
        f"{BROWSER}::test_a_name_that_was_made_to_lead_here_gets_nothing",
        also=(
            f"{PAGE}::test_what_is_malformed_or_meant_for_another_is_refused_with_every_guard",
            f"{GATE}::test_a_name_that_was_made_to_lead_here_is_refused_before_routing",
        ),
    ),
    "S18": Row(
        "a change asked for by another page",
        f"{BROWSER}::test_a_page_of_another_site_reads_nothing_and_frames_nothing",
        also=(f"{PAGE}::test_a_change_is_refused", f"{GATE}::test_nothing_can_be_changed_here"),
    ),
    "S19": Row(
        "a stream read by another page",
        f"{BROWSER}::test_a_page_of_another_site_reads_nothing_and_frames_nothing",
        also=(f"{GATE}::test_another_origin_is_refused",),
    ),
    "S20": Row(
        "an address that tells on itself",
        f"{BROWSER}::test_where_the_page_leads_nobody_hears_where_it_was",
        also=(f"{GATE}::test_every_answer_forbids_frames_foreign_code_and_guesses",),
    ),
    "S21": Row(
        "symbols and reasons that are markup",
        f"{BROWSER}::test_thirty_payloads_as_symbols_and_reasons_are_inert",
        also=(f"{BROWSER}::test_the_browser_itself_refuses_markup_and_code",),
    ),
    "S22": Row(
        "the page in a frame of another",
        f"{BROWSER}::test_a_page_of_another_site_reads_nothing_and_frames_nothing",
        also=(f"{GATE}::test_every_answer_forbids_frames_foreign_code_and_guesses",),
    ),
    "S23": Row(
        "paths, heads and bodies that are none",
        f"{PAGE}::test_what_is_malformed_or_meant_for_another_is_refused_with_every_guard",
        also=(f"{PAGE}::test_only_what_stands_in_the_table_can_be_asked_for",),
    ),
    "S24": Row(
        "a thousand streams, and one that stalls",
        f"{PAGE}::test_a_thousand_streams_that_read_nothing_cost_a_bounded_number_of_places",
        also=(f"{PAGE}::test_a_reader_that_stalls_is_dropped_with_a_note_and_costs_nothing_meanwhile",),
    ),
    "S25": Row(
        "a port for all the world",
        f"{PAGE}::test_no_other_address_of_this_machine_is_listened_at",
        also=("tests/test_config.py::test_no_key_opens_a_port_to_other_machines",),
    ),
    "S26": Row(
        "metrics that another user reads",
        f"{SCRAPES}::test_who_scrapes_learns_no_account_and_what_the_settings_let_out",
        also=("tests/daemon/test_readings.py::test_a_closed_set_is_whole_from_the_start_and_strangers_add_up",),
    ),
    "S27": Row(
        "metrics whose labels break out",
        f"{SCRAPES}::test_a_label_that_would_break_out_is_a_label",
    ),
    "S28": Row(
        "an answer that is a bomb",
        f"{CAPITAL}/test_rest.py::test_a_body_that_is_a_bomb_is_read_to_its_bound",
        also=(f"{CAPITAL}/test_rest.py::test_what_is_packed_is_never_unpacked",),
    ),
    "S29": Row(
        "a length of four gigabytes",
        f"{TWS}/test_session.py::test_hostile_bytes_end_the_link_are_counted_and_the_next_one_is_whole",
        also=(f"{TWS}/test_frames.py::test_what_is_no_message_is_refused_in_words",),
    ),
    "S30": Row(
        "messages that are none",
        f"{TWS}/test_session.py::test_hostile_bytes_end_the_link_are_counted_and_the_next_one_is_whole",
        also=(f"{CAPITAL}/test_wire.py::test_any_bytes_are_read_or_refused",),
    ),
    "S31": Row("fills and orders that joed never sent", f"{BROKER}::{ALONE}", ("forged",)),
    "S32": Row(
        "a broker that sends us to another host",
        f"{CAPITAL}/test_rest.py::test_a_redirect_leads_nowhere_and_takes_no_token_along",
        also=(f"{CAPITAL}/test_stream.py::test_a_stream_that_is_told_to_go_elsewhere_stays",),
    ),
    "S33": Row(
        "somebody between us and the broker",
        f"{CAPITAL}/test_over_tls.py::test_s33_a_proxy_of_the_environment_hears_nothing",
        also=(
            f"{CAPITAL}/test_over_tls.py::test_f50_nothing_is_sent_where_a_name_or_a_certificate_is_not_in_order",
            f"{CAPITAL}/test_over_tls.py::test_s33_a_stream_shows_its_tokens_to_no_server_whose_certificate_is_not_in_order",
        ),
    ),
    "S34": Row(
        "a flood on the stream",
        f"{CAPITAL}/test_stream.py::test_a_flood_of_frames_holds_up_no_later_price",
        also=(
            f"{CAPITAL}/test_stream.py::test_a_frame_of_a_hundred_megabytes_ends_the_socket_and_not_the_memory",
            f"{CAPITAL}/test_stream.py::test_a_frame_that_cannot_be_what_it_claims_is_counted_and_left_out",
        ),
    ),
    "S35": Row(
        "a secret in what is told",
        "tests/wired/test_secrets.py::test_s35_no_secret_is_anywhere_but_in_its_file",
        also=("tests/wired/test_secrets.py::test_s35_the_search_finds_what_it_should",),
        untimed=NEVER,
    ),
    "S36": Row(
        "a secret that others may read", "tests/daemon/test_credentials.py::test_what_others_may_read_is_refused"
    ),
    "S37": Row(
        "secrets in a core, in swap, before a debugger",
        "tests/systemd/test_life.py::test_no_core_is_written_and_no_power_is_gained",
        also=(
            "tests/systemd/test_life.py::test_nobody_of_joeds_own_user_looks_into_it",
            f"{FENCE}::test_a_process_that_hides_its_memory_is_closed_to_others_of_its_user",
        ),
    ),
    "S38": Row("clever YAML", "tests/test_config.py::test_cleverness_of_yaml_is_refused_with_its_line"),
    "S39": Row(
        "settings or a secret that somebody else put there",
        "tests/test_ownership.py::test_s39_joed_refuses_to_start_on_what_others_could_have_written",
        also=(
            "tests/test_ownership.py::test_a_link_is_as_good_as_who_made_it_and_as_what_it_leads_to",
            "tests/daemon/test_credentials.py::test_a_link_is_refused_wherever_it_lies",
        ),
    ),
    "S40": Row("data that is run as code", "tests/test_tidy.py::test_every_file_keeps_the_rule", untimed=BEFORE),
    "S41": Row(
        "a record that was tampered with",
        "tests/daemon/test_anchor.py::test_a_chain_that_was_rewritten_from_its_start_holds_and_fails_its_anchor",
    ),
    "S42": Row(
        "an old state directory put back",
        "tests/daemon/test_anchor.py::test_a_restored_state_directory_does_not_undo_a_kill",
    ),
    "S43": Row("a loose sandbox", f"{UNITS}::test_what_runs_for_long_or_holds_secrets_is_shut_in", untimed=BEFORE),
    "S44": Row(
        "a joed that was taken over",
        "tests/systemd/test_life.py::test_a_joed_that_has_been_taken_over_gets_nowhere",
        also=("tests/systemd/test_life.py::test_with_the_drop_in_for_a_gateway_here_no_other_address_is_reached",),
    ),
    "S45": Row(
        "a file other than the one that was locked",
        f"{PACKAGE}::test_a_file_that_is_not_the_one_that_was_locked_is_not_installed",
        also=(
            f"{PACKAGE}::test_what_was_published_within_a_week_is_not_locked",
            f"{PACKAGE}::test_code_of_others_is_run_by_no_installation_but_one",
            f"{PACKAGE}::test_everybody_that_comes_along_may_be_passed_on",
            "tests/systemd/test_deb.py::test_an_installation_has_everything_in_its_place_and_starts_nothing",
        ),
        untimed=BEFORE,
    ),
    "S46": Row("somebody new among the dependencies", f"{PACKAGE}::test_nobody_new_comes_along_unseen", untimed=BEFORE),
    "S47": Row(
        "a build that cannot be repeated",
        f"{PACKAGE}::test_two_builds_of_one_commit_are_the_same_bytes",
        untimed=BEFORE,
    ),
    "S48": Row(
        "a strategy that reaches for more",
        f"{FENCE}::test_the_world_is_closed_to_it",
        also=("tests/daemon/test_sandbox.py::test_what_loops_is_ended_at_its_deadline",),
    ),
    "S49": Row(
        "a broker's words that write log lines of their own",
        "tests/daemon/test_log.py::test_no_value_breaks_a_line_or_moves_a_cursor",
        also=("tests/daemon/test_log.py::test_any_words_make_exactly_one_line",),
    ),
    "S50": Row(
        "a link in a file's place",
        "tests/daemon/test_lock.py::test_a_link_is_not_followed",
        also=(
            "tests/daemon/test_latch.py::test_whatever_has_the_name_is_a_latch_and_is_never_opened",
            "tests/daemon/test_places.py::test_a_link_in_the_place_of_the_key_is_not_followed",
        ),
    ),
    "S51": Row(
        "an alert to a machine's own secrets",
        "tests/daemon/test_courier_main.py::test_an_alert_goes_to_no_machines_secrets_and_the_next_one_leaves",
        also=(
            "tests/daemon/test_courier_main.py::test_a_clouds_own_secrets_are_asked_for_under_no_spelling",
            "tests/daemon/test_courier_main.py::test_the_watch_is_asked_over_https_alone_but_on_this_machine",
        ),
    ),
}
"""Every attack of the catalogue, S1 to S51."""
