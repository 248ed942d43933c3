"""`gridctl plan …`: what a person at a shell does with plans, by the office's own API."""

from __future__ import annotations

from typing import Annotated

import typer

from gridctl.cli_ending import guarded
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance, User

plan_app = typer.Typer(help="Plans: list, look at, approve or reject.", no_args_is_help=True)

CautionsRead = Annotated[
    list[str] | None,
    typer.Option("--read", help="A caution tag that you have read (again for each one)."),
]


@plan_app.command("list")
def plan_list(
    instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False
) -> None:
    """Plans, newest first."""
    from gridctl.cli_desk import list_plans  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: list_plans(instance, user=user, as_json=as_json))


@plan_app.command("show")
def plan_show(
    plan: str, instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False
) -> None:
    """One plan: before and after, devices, who is excluded and why, the AC check."""
    from gridctl.cli_desk import show_plan  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: show_plan(instance, plan, user=user, as_json=as_json))


@plan_app.command("explain")
def plan_explain(
    plan: str,
    device: Annotated[str | None, typer.Option(help="Only why this device moves.")] = None,
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Why the plan is as it is: limits and their prices, what is missed and what would help."""
    from gridctl.cli_desk import explain_plan  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: explain_plan(instance, plan, user=user, as_json=as_json, device=device))


@plan_app.command("approve")
def plan_approve(
    plan: str,
    digest: Annotated[
        str, typer.Option(help="Digest (or its first 12 characters) that `plan show` printed.")
    ],
    read: CautionsRead = None,
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Approve exactly the plan that you have read: its digest is required."""
    from gridctl.cli_desk import approve_plan  # noqa: PLC0415 - lazy on purpose

    guarded(
        lambda: approve_plan(instance, plan, digest, user=user, as_json=as_json, read=read or [])
    )


@plan_app.command("break-glass")
def plan_break_glass(
    plan: str,
    digest: Annotated[
        str, typer.Option(help="Digest (or its first 12 characters) that `plan show` printed.")
    ],
    reason: Annotated[str, typer.Option(help="Why one person is enough: 20 characters or more.")],
    read: CautionsRead = None,
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Release an emergency plan alone: alarm, audit, and a review by the next shift."""
    from gridctl.cli_desk import break_glass  # noqa: PLC0415 - lazy on purpose

    guarded(
        lambda: break_glass(
            instance, plan, digest, reason, user=user, as_json=as_json, read=read or []
        )
    )


@plan_app.command("reject")
def plan_reject(
    plan: str,
    reason: Annotated[str, typer.Option(help="Why; goes to the audit.")],
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Reject a plan."""
    from gridctl.cli_desk import reject_plan  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: reject_plan(instance, plan, reason, user=user, as_json=as_json))
