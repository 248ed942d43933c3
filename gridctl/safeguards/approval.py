"""Approval: SG-06 … SG-11."""

from __future__ import annotations

from gridctl.config import ApprovalTable
from gridctl.config_people import UsersTable
from gridctl.control.approvals import BREAK_GLASS_REASON_MIN
from gridctl.safeguards.register import Safeguard, Setting, Standing, fixed, key_of

APPROVAL: tuple[Safeguard, ...] = (
    Safeguard(
        number=6,
        title="Two persons for large plans",
        what="From a power or a number of customers on, two people must approve; so must they when "
        "an area is to be commanded (SG-37).",
        seen="plan review: approvals",
        standing=Standing.IN_FORCE,
        left_out="emergency events: an event here is a request, and no plan goes by itself for one "
        "(one person releases a plan that heals broken limits by SG-11, with an alarm and a "
        "review); limit overrides: there are none",
        settings=(
            key_of(ApprovalTable, "[approval]", "two_person_kw", "kW"),
            key_of(ApprovalTable, "[approval]", "two_person_customers", "customers"),
            Setting(
                name="[approval].two_person_head_pct",
                default="none: not asked",
                range="0 < … 100 % of the head's limit",
            ),
        ),
        tests=(
            "test_sg06_large_plans_need_two_persons",
            "test_sg06_sg16_a_share_of_the_head_or_leave_to_worsen_needs_two_persons",
            "test_sg06_sg26_anothers_tag_needs_two_persons_and_a_supervisor",
            "test_sg06_no_path_leads_around_the_approvals",
            "test_sg06_order_that_nobody_approved_is_refused",
        ),
    ),
    Safeguard(
        number=7,
        title="Proposer is no approver, two sessions",
        what="The proposer never counts; two approvals are two users in two sessions. Before an "
        "approval, a break-glass release, a resume or a change of users the person's proof is "
        "fresh: by code generator or security key where one is enrolled, else by password, or at "
        "the identity provider. A code is good once. Second factors can be asked of roles and of "
        "the second approver.",
        seen="plan review: why this person cannot approve; proof dialog; account",
        standing=Standing.IN_FORCE,
        settings=(
            key_of(UsersTable, "[users]", "step_up_s", "s"),
            Setting(name="[users].second_factor_roles", default="none", range="roles"),
            Setting(name="[users].second_approver_factor", default="false", range="true, false"),
        ),
        tests=(
            "test_sg07_an_approval_needs_a_fresh_proof",
            "test_sg07_with_a_generator_the_password_alone_opens_nothing",
            "test_sg07_a_security_key_signs_in",
            "test_sg07_a_used_code_and_all_before_it_are_refused",
            "test_sg07_who_has_a_second_factor_proves_himself_by_it",
            "test_sg07_sign_in_with_a_security_key",
            "test_sg07_two_approvals_are_two_persons_in_two_sessions",
            "test_sg07_same_person_twice_and_sg09_other_digest_are_refused",
        ),
    ),
    Safeguard(
        number=8,
        title="Plans and approvals expire",
        what="A plan that waited too long, or whose approval is too old, is never released.",
        seen="countdown on overview, plans, review",
        standing=Standing.IN_FORCE,
        left_out="an expiry before the start of day-ahead plans, too early: each plan begins in "
        "the interval in which it is proposed, and is made anew each cycle",
        settings=(
            key_of(ApprovalTable, "[approval]", "plan_life_s", "s"),
            key_of(ApprovalTable, "[approval]", "approval_life_s", "s"),
        ),
        tests=(
            "test_sg08_expired_plan_is_never_released",
            "test_sg08_expired_order_is_refused",
            "test_sg08_an_ended_plan_never_lives_again",
        ),
    ),
    Safeguard(
        number=9,
        title="Approval bound to what was shown",
        what="An approval names the digest on the screen; another one is refused with 409.",
        seen="plan review: digest; refusal with the reason",
        standing=Standing.IN_FORCE,
        tests=(
            "test_sg09_a_changed_plan_is_409_and_says_so",
            "test_sg09_approval_of_another_digest_is_refused",
            "test_sg09_order_without_the_digest_of_its_plan_is_refused",
        ),
    ),
    Safeguard(
        number=10,
        title="A dialog that states the act",
        what="The confirmation says action, count, kW, customers, areas and whether a second "
        "person is needed; the focus is on Cancel when two must approve.",
        seen="approve dialog",
        standing=Standing.IN_FORCE,
        left_out="a cool-down on the server: an approval is bound to the digest on the screen, is "
        "good once and asks for a fresh proof (SG-07, SG-09), so that a second click does nothing; "
        "a wait would only cost seconds when they count",
        tests=("test_sg10_a_large_plan_needs_two_people_and_nothing_is_shown_as_done_before",),
    ),
    Safeguard(
        number=11,
        title="Break-glass",
        what="A plan that heals limits which are broken without it may be released by one person "
        "with a reason; all other rules stay. It is an alarm of priority 1, an audit row of its "
        "own and a task of review for the next shift.",
        seen="plan review: Break glass…; alarm; shift: steps; `gridctl plan break-glass`",
        standing=Standing.IN_FORCE,
        settings=(fixed("reason, at least", f"{BREAK_GLASS_REASON_MIN} characters"),),
        tests=("test_sg11_one_person_releases_an_emergency_and_everybody_sees_it",),
    ),
)
