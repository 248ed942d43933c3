"""CLI verbs that talk to the running office through its API, as one person."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gridctl.config import Settings, load_settings
from gridctl.model.errors import Refusal, RefusedError, UnavailableError
from gridctl.remote import Remote

DIGEST_SHOWN = 12


def base_url(settings: Settings) -> str:
    """Where the console of this instance answers."""
    scheme = "https" if settings.web.certificate else "http"
    return f"{scheme}://{settings.web.host}:{settings.web.port}"


def signed_in(instance: Path, user: str) -> Remote:
    """A session; the password comes from GRIDCTL_PASSWORD or is asked for."""
    remote = Remote(base_url(load_settings(instance / "gridctl.toml")))
    name = user or input("User: ")
    password = os.environ.get("GRIDCTL_PASSWORD") or getpass.getpass(f"Password of {name}: ")
    remote.sign_in(name, password)
    return remote


def _out(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _kw(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f} kW"


def show_status(instance: Path, *, user: str, as_json: bool) -> None:
    """`gridctl status`."""
    with signed_in(instance, user) as remote:
        frame = remote.get("/overview")
    frame.pop("trend", None)
    if as_json:
        _out(frame)
        return
    head = frame["head"]
    state = "STOPPED" if frame["stopped"] else frame["mode"]
    print(f"{frame['at']}  {state}")
    print(f"Feeder head  {_kw(head['kw'])} of {_kw(head['limit_kw'])}  ({head['quality']})")
    print(f"Field agent  {'connected' if frame['field_connected'] else 'NOT CONNECTED'}")
    for link in frame["links"]:
        print(
            f"  {link['id']:<6} {link['protocol']:<6} {link['state']:<11} {link['points']} points"
        )
    for reason in frame["blocked"]:
        print(f"Blocked      {reason}")
    print(f"Alarms       {frame['alarms']['active']} active, {frame['alarms']['unacked']} new")
    for alarm in frame["alarms"]["top"]:
        print(f"  {alarm['priority']}  {alarm['text']}")
    _print_plans(frame["plans"])


def _print_plans(rows: list[dict[str, Any]]) -> None:
    if not rows:
        print("Plans        none")
        return
    print(f"{'PLAN':<24} {'STATE':<10} {'REDUCES':>10} {'APPROVED':>9}  EXPIRES  DIGEST")
    for row in rows:
        left = row["expires_in_s"]
        print(
            f"{row['id']:<24} {row['state']:<10} {_kw(row['net_kw']):>10} "
            f"{row['approvals']} of {row['approvals_needed']:<3}  "
            f"{'-' if left is None else f'{left:.0f} s':>7}  {row['digest'][:DIGEST_SHOWN]}"
        )


def list_plans(instance: Path, *, user: str, as_json: bool) -> None:
    """`gridctl plan list`."""
    with signed_in(instance, user) as remote:
        rows = remote.get("/plans")["plans"]
    if as_json:
        _out({"plans": rows})
    else:
        _print_plans(rows)


def show_plan(instance: Path, plan: str, *, user: str, as_json: bool) -> None:
    """`gridctl plan show`."""
    with signed_in(instance, user) as remote:
        detail = remote.get(f"/plans/{plan}")
    if as_json:
        _out(detail)
        return
    _print_plans([detail])
    print(f"\nDigest {detail['digest']}")
    print(f"If commands fail: {detail['on_failure']} (SG-20)")
    check = detail["check"]
    if check is None:
        print("AC check: none")
    else:
        before, after = check["before"], check["after"]
        print(f"\nAC check ({check['engine']}): {'passed' if check['ok'] else 'FAILED'}")
        print(f"{'':<24} {'before':>10} {'after':>10}")
        for label, key in (
            ("Lowest voltage, pu", "worst_voltage_pu"),
            ("Highest voltage, pu", "highest_voltage_pu"),
            ("Highest loading, %", "worst_loading_pct"),
            ("Violations", "violations"),
            ("Losses, kW", "losses_kw"),
        ):
            print(f"{label:<24} {before[key]:>10} {after[key]:>10}")
        for reason in check["reasons"]:
            print(f"  {reason}")
    print(f"\n{'DEVICE':<28} {'NOW':>8} {'TO':>8} {'HEAD':>8}  HOW")
    for row in detail["rows"]:
        now = "?" if row["now_kw"] is None else f"{row['now_kw']:.0f}"
        print(
            f"{row['name'][:28]:<28} {now:>8} {row['to_kw']:>8.0f} {-row['effect_kw']:>8.0f}  "
            f"{row['how']}"
        )
    for item in detail["cautions"]:
        print(f"Caution:  {item['name']}: {item['text']}")
    for item in detail["excluded"]:
        print(f"Excluded: {item['name']}: {item['reason']}")
    for item in detail["shortfalls"]:
        print(f"Not met:  {item['limit']} at {item['where']}, {item['amount']} {item['unit']}")


_HEADINGS = {
    "reason": "What it is for",
    "binding": "What holds it back",
    "shortfall": "What is missed",
    "conflict": "Why not more",
    "remedy": "What would help",
    "excluded": "Who is left out",
    "forecast": "If the forecast is wrong",
    "field": "What the field says",
}


def explain_plan(
    instance: Path, plan: str, *, user: str, as_json: bool, device: str | None = None
) -> None:
    """`gridctl plan explain`: the plan's findings, in the order in which a person asks; of one
    `device` why each of its setpoints is as it is."""
    with signed_in(instance, user) as remote:
        detail = remote.get(f"/plans/{plan}")
    findings = detail["findings"]
    why = [one for one in detail["why"] if device in (None, one["resource"])]
    if as_json:
        _out({"id": detail["id"], "digest": detail["digest"], "findings": findings, "why": why})
        return
    if device is not None:
        for one in why:
            print(f"{one['from']} to {one['to']}: {one['name']} {one['text']}")
        if not why:
            print(f"The plan does not move {device}.")
        return
    print(f"Plan {detail['id']}, {detail['state']}" + (f": {r}" if (r := detail["reason"]) else ""))
    if detail["held"] is not None:
        print(f"No new plan since {detail['held']['since']}: {detail['held']['reason']}")
        print("This one is the last that passed its AC check, and stands.")
    for kind, heading in _HEADINGS.items():
        texts = [item["text"] for item in findings if item["kind"] == kind]
        if texts:
            print(f"\n{heading}")
        for text in texts:
            print(f"  {text}")
    if not findings:
        print("Nothing holds it back, nothing is missed, nobody is left out.")


def approve_plan(
    instance: Path, plan: str, digest: str, *, user: str, as_json: bool, read: Sequence[str] = ()
) -> None:
    """`gridctl plan approve`: a digest prefix must match what the office has now."""
    if len(digest) < DIGEST_SHOWN:
        raise RefusedError(
            Refusal(code="digest_too_short", reasons=(f"give at least {DIGEST_SHOWN} characters",))
        )
    with signed_in(instance, user) as remote:
        held = str(remote.get(f"/plans/{plan}")["digest"])
        full = held if held.startswith(digest) else digest
        detail = remote.post(f"/plans/{plan}/approve", {"digest": full, "cautions": list(read)})
    if as_json:
        _out(detail)
    else:
        print(f"{plan}: {detail['state']}, {detail['approvals']} of {detail['approvals_needed']}")


def break_glass(
    instance: Path,
    plan: str,
    digest: str,
    reason: str,
    *,
    user: str,
    as_json: bool,
    read: Sequence[str] = (),
) -> None:
    """`gridctl plan break-glass`: the digest as in `approve_plan`."""
    if len(digest) < DIGEST_SHOWN:
        raise RefusedError(
            Refusal(code="digest_too_short", reasons=(f"give at least {DIGEST_SHOWN} characters",))
        )
    with signed_in(instance, user) as remote:
        held = str(remote.get(f"/plans/{plan}")["digest"])
        full = held if held.startswith(digest) else digest
        body = {"digest": full, "reason": reason, "cautions": list(read)}
        detail = remote.post(f"/plans/{plan}/break-glass", body)
    if as_json:
        _out(detail)
    else:
        print(f"{plan}: {detail['state']}, released by one person; the next shift reviews it")


def reject_plan(instance: Path, plan: str, reason: str, *, user: str, as_json: bool) -> None:
    """`gridctl plan reject`."""
    with signed_in(instance, user) as remote:
        held = str(remote.get(f"/plans/{plan}")["digest"])
        detail = remote.post(f"/plans/{plan}/reject", {"digest": held, "reason": reason})
    if as_json:
        _out(detail)
    else:
        print(f"{plan}: {detail['state']}")


def stop_dispatch(instance: Path, *, reason: str, as_json: bool) -> None:
    """`gridctl stop`: the stop file, which the field agent polls twice a second (SG-21)."""
    settings = load_settings(instance / "gridctl.toml")
    path = settings.field.stop_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{reason}\n", encoding="utf-8")
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from None
    if as_json:
        _out({"stopped": True, "stop_file": str(path)})
    else:
        print(f"STOP is set ({path}). No command leaves the field agent after at most 1 s.")
        print("Resume from the console, with a reason.")
