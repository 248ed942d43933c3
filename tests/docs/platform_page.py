"""docs/reference/platform-api.md: the operations and bodies of the platform API, from its tables."""

from __future__ import annotations

from gridctl.assembly import PLATFORM_PREFIX
from gridctl.platform_api.caller import Need
from gridctl.platform_api.openapi import document, type_of
from gridctl.platform_api.operations import OPERATIONS
from gridctl.platform_api.outcome import Word
from gridctl.platform_api.problem import CODES
from tests.docs.tables import GENERATED, table

_WHO = {
    Need.OPEN: "everybody",
    Need.READ: "business logic, people; a VEN its own",
    Need.READ_ALL: "business logic, people",
    Need.ANSWER: "business logic, operators; a VEN its own",
    Need.WRITE: "business logic, operators",
    Need.DISPATCH: "business logic, operators",
}

_INTRO = f"""\
At `{PLATFORM_PREFIX}`, beside the console's own routes: who takes part, dispatch requests, what came of them.
The server tells the same as OpenAPI 3.1 at `{PLATFORM_PREFIX}/openapi.json` and as a page at
`{PLATFORM_PREFIX}/docs`. Callers are OpenADR clients by their bearer token (`POST
/openadr3/3.1.0/auth/token`), or people by the console's session; first steps with `curl`:
[connect your system](../howto/connect-your-system.md).

Nothing here moves power by itself. A dispatch becomes a plan, which is verified by power flow and approved
by people; an answer, an opt-out or a limit only ever takes a device out of it, and the plan says why.

- Times are RFC 3339 with an offset, in answers UTC. Powers are kW, durations seconds. Unknown fields are
  refused.
- `ETag` on every object, made of what this caller sees. PUT, PATCH and DELETE want it back in `If-Match`:
  428 without, 412 when it has changed since. `If-None-Match` is answered with 304.
- `POST {PLATFORM_PREFIX}/dispatch-requests` wants an `Idempotency-Key`: the same key and body get the same answer for
  72 hours (`Idempotent-Replayed: true`), another body 422, the same at the same time 409.
- Lists are pages: `items`, and `next` for the parameter `cursor`, null at the end. Cursors are opaque.
- `RateLimit` and `RateLimit-Policy` say what is left; 429 has `Retry-After`. `X-Request-Id` comes back as it
  was sent, and stands in `instance` of a problem."""

_LIMITS = """\
A call is a start of the device: one that goes on under the next plan is not called again. Days and weeks are
the feeder's local ones, a week begins on Monday, a season is `firstTime` to `lastTime`. Caps, blackouts,
notice and opt-outs are hard bounds of the optimizer: a plan names them under `excluded` ("3rd call this
week"). A device whose enrolment is requested, verified, suspended or ended is not called at all; one without
an enrolment is the utility's own. Where a plan spans midnight and few calls of a week or season are left, the
second day stays free. A cap on a battery or PV inverter withdraws it when it is used up.

A dispatch that names a `group` or `resources` is answered by their devices alone: they bring all of `targetKw`
(what they cannot bring is missing, and the plan says so), and while nothing else is asked of the feeder nobody
else may be used; the plan names them under `excluded` ("hot afternoon is for 2 other devices"). Only a feeder that
is above its own limit may use others besides, for itself. Without those it asks the whole feeder. A resource at a VEN gets an OpenADR event when a plan has been approved, for what
its enrolment has committed; the plan does not count on it."""

_PROBLEMS = "The `type` is `urn:gridctl:problem:` and the word; `errors` names fields."

_OUTCOMES = {
    Word.PENDING: "not over, or not decided",
    Word.TOOK_PART: "the device confirmed and was measured; the VEN reported metered values",
    Word.OVERRIDDEN: "it withdrew while the dispatch ran, or its VEN reports an opt-out",
    Word.NO_RESPONSE: "the device or the VEN did not answer",
    Word.REJECTED: "the operator rejected the plan, the device did not take the command, or the "
    "participant declined beforehand",
    Word.UNVERIFIED: "it agreed or confirmed, and no measurement shows it",
}


def platform_page() -> str:
    """The whole page."""
    operations = [
        (
            f"`{o.method} {o.path}`",
            _WHO[o.need],
            o.summary,
            f"`{o.body.__name__}`" if o.body else "",
        )
        for o in OPERATIONS
    ]
    problems = [(f"`{code}`", str(status.value), title) for code, (status, title) in CODES.items()]
    outcomes = [(f"`{word}`", text) for word, text in _OUTCOMES.items()]
    return "\n\n".join(
        [
            f"# Platform API\n\n{GENERATED}",
            _INTRO,
            f"## Operations\n\n{table(('operation', 'who', 'what', 'body'), operations)}",
            f"## Limits\n\n{_LIMITS}",
            f"## Outcomes\n\n{table(('outcome', 'when'), outcomes)}",
            f"## Problems\n\n{_PROBLEMS}\n\n{table(('word', 'status', 'title'), problems)}",
            f"## Bodies\n\n{_bodies()}",
        ]
    ) + ("\n")


def _bodies() -> str:
    parts = []
    for name, one in sorted(document()["components"]["schemas"].items()):
        if "properties" not in one or name in ("Page", "Problem"):
            continue
        needed = set(one.get("required", ()))
        rows = [
            (
                f"`{field}`",
                "required" if field in needed else "",
                type_of(told),
                told.get("description", ""),
            )
            for field, told in one["properties"].items()
        ]
        text = " ".join(one.get("description", "").split())
        parts.append(f"### {name}\n\n{text}\n\n{table(('field', '', 'type', 'what'), rows)}")
    return "\n\n".join(parts)
