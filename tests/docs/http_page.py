"""docs/reference/http.md: every route of the console and of OpenADR, from the route tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from gridctl.assembly import OPENADR_PREFIX
from gridctl.openadr.routes import openadr_routes
from gridctl.web.api import Api
from gridctl.web.areas import AreaRules
from gridctl.web.auth import CSRF_HEADER
from gridctl.web.factor_pages import FactorPages
from gridctl.web.pages import Pages
from gridctl.web.provider_pages import ProviderPages
from gridctl.web.roles import PERMISSIONS, Permission
from gridctl.web.routes import Handlers, Route, WebParts, routes
from gridctl.web.signin_pages import SignInPages
from gridctl.web.stream import Stream
from gridctl.web.user_pages import UserPages
from tests.docs.tables import GENERATED, table

_INTRO = f"""\
Two interfaces on one port: the console's, for people and for `gridctl` on the command line, and OpenADR
3.1, for customer systems. Bodies are JSON; an unknown field is refused. Times without a zone do not
exist: everything is UTC.

## Signing in

`POST /api/v1/session` with `user` and `password` answers with a cookie and a CSRF token. Every request
that changes something carries that token in `{CSRF_HEADER}` and comes from the console's own origin.
Whose account has a second factor gets 401 `second_factor` with a `ticket` and its `methods` instead, and
goes on with `session/code` or `session/key`. Routes marked *fresh proof* answer 403 `step_up` when the
last proof is older than `[users].step_up_s`: `session/prove` gives a ticket for another one. Routes marked
*area* ask that the person answers for every area that the act is about.
An unused session becomes idle after 15 minutes and then only shows the picture and takes STOP; it ends
after 12 hours. The form of the answers stands, typed, in `ui/src/api.ts`: the console and the tests are
held to it."""

_REFUSALS = """\
## A refusal

Every "no" is an `application/problem+json` (RFC 9457) with a stable `code` and `reasons` for people:

| status | when |
|---|---|
| 400 | the request is not understood; the detail says which field |
| 401 | nobody is signed in, or the token is not valid |
| 403 | signed in, but the role may not, or CSRF token or origin is wrong |
| 404 | there is no such thing, or the caller may not see it |
| 409 | refused as things are: the plan changed, the feeder moved, the same person again |
| 503 | a part of gridctl does not answer |"""

_CONSOLE: Mapping[str, str] = {
    "GET /": "The console.",
    "GET /static/{name}": "Its files.",
    "GET /healthz": "200 while the process answers.",
    "GET /readyz": "200 when the field agent is connected and values are there, else 503.",
    "GET /metrics": "Prometheus text: [links](link-health.md), points, alarms. A bearer of its own "
    "(`web.metrics_token_file`), else this machine only.",
    "GET /api/v1/links": "Every link with all that its driver tells.",
    "POST /api/v1/plans/{plan}/break-glass": "One person releases an emergency plan: `digest`, "
    "`reason` of 20 characters or more (SG-11).",
    "GET /api/v1/alarms/figures": "Rate, floods, stale and chattering alarms; `hours`.",
    "GET /api/v1/handovers": "Shift handovers, newest first.",
    "POST /api/v1/handovers": "Who goes signs what is open: `notes`.",
    "POST /api/v1/handovers/{number}/take": "Who comes has checked it and signs: `remarks`.",
    "GET /api/v1/manual-steps": "Steps by telephone, newest first.",
    "POST /api/v1/manual-steps": "An instruction is given: `to`, `instruction`.",
    "POST /api/v1/manual-steps/{number}/repeat": "It was repeated back: `words`.",
    "POST /api/v1/manual-steps/{number}/confirm": "It is done: `words`.",
    "POST /api/v1/manual-steps/{number}/give-up": "It is not done: `reason`.",
    "GET /api/v1/modes": "Each area: its mode, what is asked for, the evidence from shadow plans.",
    "POST /api/v1/modes": "Go down at once, or ask to go up: `area`, `mode`, `reason`.",
    "POST /api/v1/modes/approve": "One person's yes to what is asked for: `area`; for closed loop "
    "the `digest` of the envelope.",
    "POST /api/v1/modes/closed-loop": "Ask for closed loop (SG-37): `area`, `max_kw`, `ramp_kw`, "
    "`devices`, `from_hour`, `to_hour`, `causes`, `life_h`, `reason`; an ENGINEER.",
    "GET /api/v1/events": "Sequence of events, newest first; `point`, `before`, `limit`.",
    "GET /plain": "A page without scripts: sign in, plans, STOP.",
    "POST /plain/login": "Its form to sign in.",
    "POST /plain/stop": "Its STOP button.",
    "GET /plain/factors": "Second factors without a script.",
    "POST /plain/factors/code": "A new code generator: QR code and secret, once.",
    "POST /plain/factors/confirm": "Its first `code`.",
    "POST /plain/factors/recovery": "New recovery codes, shown once.",
    "GET /oidc/start": "To the identity provider.",
    "GET /oidc/callback": "Back from it.",
    "GET /api/v1/sign-in": "Which ways to sign in there are.",
    "POST /api/v1/session": "Sign in: `user`, `password`.",
    "POST /api/v1/session/password": "Prove oneself again by password: `ticket`, `password`.",
    "POST /api/v1/session/code": "Second factor: `ticket`, `code` of the generator; each is good once.",
    "POST /api/v1/session/recovery": "A recovery code, once: `ticket`, `code`.",
    "POST /api/v1/session/key-challenge": "What the security key has to sign: `ticket`.",
    "POST /api/v1/session/key": "Second factor: `ticket`, `credential` as the browser gives it.",
    "POST /api/v1/session/prove": "A ticket for a fresh proof, and by which methods.",
    "POST /api/v1/set-up": "Choose the first password: `token` of the set-up link, `password`.",
    "GET /api/v1/factors": "One's own code generator and security keys.",
    "POST /api/v1/factors/code": "Begin to enrol a code generator: its secret, once.",
    "POST /api/v1/factors/recovery": "New recovery codes, shown once; those before end.",
    "POST /api/v1/factors/code/confirm": "End it with the first `code`.",
    "POST /api/v1/factors/key": "Begin to enrol a security key: options for the browser.",
    "POST /api/v1/factors/key/confirm": "End it: `label`, `credential`.",
    "GET /api/v1/users": "Everybody: role, areas, factors, locks; no secrets.",
    "POST /api/v1/users": "A new person, as VIEWER of no area: `name`, `full_name`; a set-up link.",
    "POST /api/v1/users/{user}/reset": "Password, factors and sessions are over: `reason`; a link.",
    "POST /api/v1/users/{user}/remove": "The account is gone, sessions end: `reason`.",
    "GET /api/v1/tags": "What hangs on devices, the oldest first (SG-26).",
    "POST /api/v1/tags": "Hang one on: `device`, `kind`, `reason`, `work_order`, `hours` (0: no end).",
    "POST /api/v1/tags/{tag}/remove": "Remove one's own, ask for it, or agree to it: `reason`.",
    "POST /api/v1/users/{user}/role": "Another `role`, other `areas`, with a `reason`.",
    "GET /api/v1/session": "Who is signed in, with which permissions.",
    "DELETE /api/v1/session": "Sign out.",
    "GET /api/v1/stream": "WebSocket: one frame a second, the same as `overview`.",
    "GET /api/v1/overview": "The picture of now: head, limit, forecast, links, alarms, plans, requests.",
    "GET /api/v1/feeder": "Network and devices, for the one-line.",
    "GET /api/v1/plans": "Plans, newest first.",
    "POST /api/v1/plans": "Work out a plan now.",
    "GET /api/v1/plans/{plan}": "One plan: AC check, devices, exclusions, digest.",
    "POST /api/v1/plans/{plan}/approve": "Approve exactly the plan with the `digest` in the body; "
    "`cautions`: the tags that were read.",
    "POST /api/v1/plans/{plan}/reject": "Reject it, with `digest` and `reason`.",
    "POST /api/v1/stop": "STOP, with a `reason`; the answer says how long the field agent took.",
    "POST /api/v1/resume": "End STOP, with a `reason`.",
    "POST /api/v1/return-to-default": "Send all devices back to their defaults, with a `reason`.",
    "GET /api/v1/alarms": "Alarms, active and past, what is put aside, the flood that lasts and what came first.",
    "GET /api/v1/alarms/history.csv": "What happened to alarms, as CSV; `days`, `key` (a part of it).",
    "POST /api/v1/alarms/shelve": "Put one aside: `key`, `hours` (at most 8), `reason` (SG-28).",
    "POST /api/v1/alarms/unshelve": "Take one back before its time: `key`.",
    "POST /api/v1/alarms/ack": "Acknowledge the alarm with `key`.",
    "GET /api/v1/commands": "The command journal; `?plan=` for one plan.",
    "GET /api/v1/commands/{command}": "One command, and what passed the wire for it.",
    "GET /api/v1/evidence/{about}": "The signed evidence pack (zip) of a plan or an event.",
    "GET /api/v1/audit": "Audit rows, newest first; `?limit=` up to 500, `?before=` a row number.",
    "GET /api/v1/audit/verify": "Walk the hash chain.",
    "GET /api/v1/assets": "Asset health: temperatures and where they go, movements counted, EN 50160, data coverage.",
    "GET /api/v1/validation": "Values of the last day that a VEE rule has marked, by point and rule.",
    "GET /api/v1/settlements": "Settlement runs, the newest first.",
    "POST /api/v1/settlements": "Settle `resource` (column of the CSV in the body, or without a body a point of our own history) at `event` (`2026-07-14T15:00/19:00`, local) by `method` against `committed_kw`; `timezone`, `temperature`, `holiday`, `event_day`, `firm_kw`, `netting=true`. 200: the same inputs had made it before.",
    "GET /api/v1/settlements/methods": "Baseline methods with version and digest.",
    "GET /api/v1/settlements/{run}": "A run, made again from what was kept; 409 when it comes out otherwise.",
    "GET /api/v1/settlements/{run}/statement.{form}": "The customer's statement, `html` or `pdf`.",
    "GET /api/v1/settlements/{run}/intervals.{form}": "One row an interval, `csv`.",
    "GET /api/v1/forecasts": "Forecast in quantiles, what earlier ones said `lead_h` ahead of what came in the last `hours`, skill by lead, a shift of the level.",
    "GET /api/v1/trend": "History of one `?point=` over `?hours=`.",
}


def http_page() -> str:
    """The whole page. AssertionError for a route without a sentence, or the other way round."""
    return "\n\n".join(
        [
            f"# HTTP interfaces\n\n{GENERATED}",
            _INTRO,
            _REFUSALS,
            f"## Console\n\n{_console_table()}",
            f"## Who may what\n\n{_roles_table()}",
            f"## OpenADR 3.1 at `{OPENADR_PREFIX}`\n\n{_OPENADR_TEXT}\n\n{_openadr_table()}",
        ]
    ) + ("\n")


def _console_table() -> str:
    rows = []
    known = set(_CONSOLE)
    for route in _found():
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        name = f"{route.method} {path}"
        assert name in _CONSOLE, f"say in one sentence what {name} does: tests/docs/http_page.py"
        known.discard(name)
        permission = "nobody asked" if route.permission is None else f"`{route.permission}`"
        if route.rule is not None and route.rule.areas is not None:
            permission += ", area"
        if route.rule is not None and route.rule.step_up:
            permission += ", fresh proof"
        rows.append((f"`{name}`", permission, _CONSOLE[name]))
    assert not known, f"routes that are gone: {sorted(known)}"
    return table(("route", "permission", "what"), rows)


def _found() -> Sequence[Route]:
    # The handlers are named, never called: empty shells are enough.
    shell = cast(WebParts, _Shell())
    handlers = Handlers(
        api=object.__new__(Api),
        stream=object.__new__(Stream),
        pages=object.__new__(Pages),
        sign_in=object.__new__(SignInPages),
        factors=object.__new__(FactorPages),
        users=object.__new__(UserPages),
        provider=object.__new__(ProviderPages),
        areas=object.__new__(AreaRules),
    )
    return routes(handlers, shell)


class _Shell:
    """Stands for parts that the route table only hands on."""

    desk: Any = None
    duty: Any = SimpleNamespace(modes=None, shifts=None, tags=None)
    clock: Any = None
    store: Any = None
    metrics_token: Any = None
    office_key: Any = None
    forecasts: Any = None
    assets: Any = None
    vee: Any = None
    people: Any = None
    utc_offset_s: Any = 0.0
    provider: Any = None


def _roles_table() -> str:
    heads = ("role", *(f"`{p}`" for p in Permission))
    rows = [
        (f"`{role}`", *("yes" if p in allowed else "" for p in Permission))
        for role, allowed in PERMISSIONS.items()
    ]
    asked = {route.permission for route in _found()}
    idle = [f"`{p}`" for p in Permission if p not in asked]
    return table(heads, rows) + f"\n\nNo route asks for {' or '.join(idle)} yet." * bool(idle)


_OPENADR_TEXT = """\
Client credentials (RFC 6749 §4.4) for a bearer token that lives one hour; `gridctl openadr client add`
makes a client. All 45 operations of OpenADR 3.1.0. An event that asks nothing that this feeder can do
is kept, and a header of the answer says why nothing will happen. A PUT or DELETE may carry `If-Match`;
a GET of one object takes `If-None-Match`."""


_VERBS = {"GET": "Read.", "POST": "Create.", "PUT": "Replace.", "DELETE": "Delete."}


def _openadr_table() -> str:
    # As above: nothing is called, so store, desk and clock may be absent.
    nothing = cast(Any, None)
    app = openadr_routes(store=nothing, desk=nothing, clock=nothing)
    rows = []
    for route in app.router.routes():
        resource = route.resource
        assert resource is not None
        first = (route.handler.__doc__ or "").strip().splitlines()[0]
        what = re.sub(r"^[A-Z]+ /[^ :,.]*[.:,]?\s*", "", first)
        what = what[:1].upper() + what[1:] if what else _VERBS[route.method]
        rows.append((f"`{route.method} {resource.canonical}`", what))
    return table(("route", "what"), rows)
