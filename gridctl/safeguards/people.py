"""People and records: SG-31 … SG-37."""

from __future__ import annotations

from gridctl.config import AuditTable, ModesTable
from gridctl.control.demotion import UNVERIFIED_MAX
from gridctl.model.envelope import HOUR_S, LIFE_MAX_S
from gridctl.safeguards.register import Safeguard, Setting, Standing, fixed, key_of
from gridctl.store.sessions import ABSOLUTE_S, IDLE_S, SESSIONS_MAX
from gridctl.store.users import FREE_FAILURES, PASSWORD_LENGTH_MIN

PEOPLE: tuple[Safeguard, ...] = (
    Safeguard(
        number=31,
        title="Roles",
        what="Each route asks for one permission; unlisted means no. Security administration may "
        "not operate, operators may not manage users; SECADM makes accounts, RBACMNT gives roles, "
        "nobody does either to himself. Who approves, rejects, resumes or sets a mode answers for "
        "all areas of the act; STOP is everybody's, everywhere.",
        seen="what a person cannot do is disabled or refused, with the reason; users",
        standing=Standing.IN_FORCE,
        settings=(
            Setting(name="areas of a user", default="none until RBACMNT gives some", range="areas"),
            Setting(name="[[oidc.roles]]", default="none", range="group → role, areas"),
        ),
        tests=(
            "test_sg31_each_role_on_each_route",
            "test_sg31_outside_its_areas_the_same_role_is_refused",
            "test_sg31_accounts_by_one_person_roles_by_another_and_a_link_to_begin",
            "test_sg31_no_role_has_what_another_must_keep_apart",
            "test_sg31_viewer_may_look_and_nothing_else",
            "test_sg31_every_route_with_a_permission_refuses_a_stranger",
        ),
    ),
    Safeguard(
        number=32,
        title="Sessions",
        what="An idle session keeps picture and STOP and loses the rest; a shift ends it; failures "
        "lock a name for longer and longer. `gridctl stop` needs no session.",
        seen="sign-in",
        standing=Standing.IN_FORCE,
        settings=(
            fixed("idle", f"{IDLE_S:g} s"),
            fixed("absolute", f"{ABSOLUTE_S:g} s"),
            fixed("sessions a user", f"{SESSIONS_MAX}"),
            fixed("failures before a lock", f"{FREE_FAILURES}"),
        ),
        tests=(
            "test_sg32_idle_locks_and_a_look_does_not_unlock",
            "test_sg32_a_shift_ends",
            "test_sg32_the_fourth_session_closes_the_first",
            "test_sg32_five_failures_lock_for_longer_and_longer",
        ),
    ),
    Safeguard(
        number=33,
        title="Passwords",
        what="Length and no composition rules, or the profile of those who must have them; not "
        "one's name, a row of the keyboard or a password of a list of lost ones, which lies on "
        "this host. Kept as argon2id only. Those that gridctl makes have 120 random bits.",
        seen="set-up link; `gridctl user`",
        standing=Standing.IN_FORCE,
        settings=(
            fixed("shortest", f"{PASSWORD_LENGTH_MIN} characters (IEEE 1686: 9)"),
            Setting(
                name="[users].password_profile", default="asvs", range="asvs, ieee1686, cip007"
            ),
            Setting(name="[users].breached_file", default="none", range="a file of SHA-1 digests"),
        ),
        tests=(
            "test_sg33_what_is_guessed_first_is_refused",
            "test_sg33_profiles_of_those_who_must",
            "test_sg33_every_line_is_found_and_nothing_else",
            "test_sg33_bad_users_are_refused",
            "test_sg33_only_an_argon2id_hash_is_kept",
        ),
    ),
    Safeguard(
        number=34,
        title="Audit",
        what="Each act is a row of a hash chain, written in the act's own transaction; signed "
        "checkpoints go to a second place. Without a record no new command leaves; STOP and return "
        "to default do.",
        seen="audit; `gridctl audit verify`; alarm",
        standing=Standing.IN_FORCE,
        settings=(
            key_of(AuditTable, "[audit]", "checkpoint_s", "s"),
            Setting(
                name="[audit].checkpoints",
                default="audit-checkpoints.jsonl beside gridctl.toml",
                range="a file, best on another host",
            ),
            Setting(name="[audit].syslog", default="none", range="udp://… or tcp://…, RFC 5424"),
        ),
        tests=(
            "test_sg34_tampering_is_found",
            "test_sg34_our_own_mistakes_cannot_change_it",
            "test_sg34_the_first_bad_row_is_named",
            "test_sg34_a_cut_tail_needs_the_checkpoint_and_is_found_by_it",
            "test_sg34_a_chain_that_was_computed_anew_is_found",
            "test_sg34_without_a_record_nothing_leaves_but_stop_and_default_do",
            "test_sg34_a_pack_holds_the_whole_life_of_a_plan",
            "test_sg34_a_pack_over_http_is_signed_and_verifies",
        ),
    ),
    Safeguard(
        number=35,
        title="Shift handover",
        what="Who goes signs what is open: STOP, modes, plans, leases, inhibited points, alarms, "
        "steps by telephone, notes. Who comes, another person in another session, has checked it "
        "and signs. Plans that one of two has approved end with it.",
        seen="shift; plan: void, with the reason",
        standing=Standing.IN_FORCE,
        tests=("test_sg35_who_goes_and_who_comes_sign_and_half_an_approval_does_not_survive",),
    ),
    Safeguard(
        number=36,
        title="Manual steps by telephone",
        what="Instruction, repeat-back and confirmation are three fields, in this order; what is "
        "not closed goes into the handover.",
        seen="shift",
        standing=Standing.IN_FORCE,
        tests=("test_sg36_issued_repeated_back_confirmed_in_this_order",),
    ),
    Safeguard(
        number=37,
        title="Modes",
        what="Each area is off, in shadow (plans are made and scored, nothing of them can be "
        "approved or sent), advisory (each plan needs people) or in closed loop (plans inside an "
        "envelope of kW, ramp, devices, hours, causes and at most 12 h do not). Down is one "
        "person's act, at once. Advisory takes the evidence of shadow plans and two persons beside "
        "the one who asks; closed loop besides that OT's limits file allows it, an engineer who "
        "asks, evidence of shadow and advisory plans over days, and two persons, one a SUPERVISOR, "
        "who approve the digest of the envelope. Their yes is each plan's approval, in the same "
        "table and journal; the field holds every such order to OT's bounds and to the envelope. "
        "Closed loop ends by itself on STOP, a flood, stale data, a clock fault, two unverified "
        "commands, a head that does not show what was promised, a checker that disagrees, a "
        "forecast that is off, nobody at the desk, other limits, a handover, a restart.",
        seen="top bar; shift: modes, envelope, evidence, who promoted, until when, End now; plan "
        "review: why it is left to people; alarm; `gridctl mode list, promote, demote`",
        standing=Standing.IN_FORCE,
        left_out="a clock fault and stale data demote after 3 s: nothing is approved or ordered "
        "meanwhile (SG-12), and the first values after a reconnection come one by one. What the "
        "area holds when it is demoted runs out with its leases; return to default is a second act "
        "(SG-21)",
        settings=(
            Setting(name="[modes].first", default="advisory", range="off, shadow, advisory"),
            key_of(ModesTable, "[modes]", "shadow_plans_min", "plans"),
            key_of(ModesTable, "[modes]", "forecast_error_max_pct", "%"),
            key_of(ModesTable, "[modes]", "evidence_days", "days"),
            key_of(ModesTable, "[modes]", "advisory_plans_min", "plans"),
            key_of(ModesTable, "[modes]", "plan_error_max_pct", "%"),
            key_of(ModesTable, "[modes]", "presence_s", "s"),
            fixed("an envelope's life", f"{LIFE_MAX_S / HOUR_S:g} h at most"),
            fixed("unverified commands", f"{UNVERIFIED_MAX}"),
            Setting(
                name="limits.toml, [[closed_loop]]: max_kw, ramp_kw, points",
                default="none: no closed loop",
                range="OT's own file",
            ),
            Setting(
                name="envelope: kW, ramp, devices, hours, causes, life",
                default="none: must be given",
                range="within OT's bounds",
            ),
        ),
        tests=(
            "test_sg37_shadow_plans_are_made_kept_and_scored_and_cannot_be_sent",
            "test_sg37_up_needs_evidence_and_three_persons_down_needs_one",
            "test_sg37_a_plan_inside_the_envelope_goes_by_the_yes_of_two_persons",
            "test_sg37_a_plan_outside_the_envelope_waits_for_people_as_ever",
            "test_sg37_closed_loop_takes_evidence_ots_leave_and_three_persons",
            "test_sg37_without_ots_leave_nobody_can_promote",
            "test_sg37_one_bound_more_and_people_decide",
            "test_sg37_a_promotion_that_stands_for_nothing",
            "test_sg37_the_field_sees_the_same_bounds",
            "test_sg37_standing_orders_are_held_to_ots_bounds_and_the_envelope",
            "test_sg37_closed_loop_ends_by_itself",
            "test_sg37_flood_absence_and_a_bad_forecast_end_it",
            "test_sg37_what_runs_ends_with_its_envelope",
            "test_sg37_a_new_office_begins_without_closed_loop",
            "test_sg37_it_ends_also_when_the_record_cannot_be_written",
            "test_sg37_going_down_ends_what_waits",
            "test_sg37_going_down_ends_what_runs",
            "test_sg37_the_score_by_hand",
        ),
    ),
)
