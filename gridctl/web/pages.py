"""Pages that work without a script: sign in, list of plans, STOP. The last resort of a browser."""

from __future__ import annotations

from html import escape

from aiohttp import web

from gridctl.control.ports import Desk, PlanView
from gridctl.model.recovery import parsed
from gridctl.web.api import BadBody, is_text
from gridctl.web.auth import Gate, Signed, person_of, same_origin
from gridctl.web.problem import problem
from gridctl.web.proving import Proving, Ticket
from gridctl.web.roles import Permission, may
from gridctl.web.signin_pages import SignInPages

DIGEST_SHOWN = 12
_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>gridctl</title>
<link rel="stylesheet" href="/static/plain.css"></head><body>"""


def page(body: str, status: int = 200) -> web.Response:
    """A page without a script."""
    return web.Response(
        text=f"{_HEAD}{body}</body></html>", content_type="text/html", status=status
    )


class Pages:
    """`/plain` and its forms."""

    def __init__(self, *, desk: Desk, gate: Gate, sign_in: SignInPages, proving: Proving) -> None:
        self._desk = desk
        self._gate = gate
        self._sign_in = sign_in
        self._proving = proving

    async def plain(self, request: web.Request) -> web.StreamResponse:
        """Plans and STOP for a signed-in person, else the form to sign in."""
        signed = await self._gate.signed(request)
        if signed is None:
            return page(_LOGIN)
        picture = self._desk.picture()
        head = picture.snapshot.values.get(picture.head_point)
        shown = "?" if head is None else f"{head.value:.0f}"
        rows = "".join(_row(p) for p in await self._desk.plans(limit=20))
        state = "<p><strong>STOPPED: nothing is dispatched.</strong></p>" if picture.stopped else ""
        return page(
            f"<h1>gridctl</h1><p>Signed in as {escape(signed.session.user)}. "
            f"Feeder head {shown} kW of {picture.head_limit_kw:.0f} kW.</p>{state}"
            f"{_stop_form(signed)}"
            f"<h2>Plans</h2><table><thead>{_COLUMNS}</thead><tbody>{rows}</tbody></table>"
            '<p>As of now: <a href="/plain">look again</a>. Approving needs the console, or '
            "<code>gridctl plan approve PLAN --digest DIGEST</code>. "
            '<a href="/plain/factors">Second factors</a></p>'
        )

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """The form of `plain`."""
        if not same_origin(request):
            return problem(403, "foreign_origin", "Request from another site")
        form = await request.post()
        name = str(form.get("user", ""))
        if not is_text(name):
            raise BadBody("field 'user' holds characters that are no text")
        found = await self._sign_in.password(name, str(form.get("password", "")))
        if isinstance(found, Ticket):
            code = str(form.get("code", ""))
            if parsed(code) is not None:
                found = await self._sign_in.recovered(request, found.token, code)
            else:
                found = await self._proving.by_code(found.token, code)
        if found is None:
            await self._sign_in.note(request, name, "refused")
            return page(f"<p>User, password or code is wrong, or locked for now.</p>{_LOGIN}", 401)
        return await self._sign_in.admitted(request, found, page="/plain")

    async def stop(self, request: web.Request) -> web.StreamResponse:
        """STOP by a form; the gate has proved session and CSRF."""
        await self._desk.stop(reason="STOP from the plain page", person=person_of(request))
        raise web.HTTPSeeOther("/plain")


_COLUMNS = "".join(
    f"<th>{name}</th>"
    for name in ("Plan", "State", "Reduction", "Approvals", "Expires in", "Digest", "Reason")
)


def _row(view: PlanView) -> str:
    stored, left_s = view.stored, view.expires_in_s
    cells = (
        stored.plan.mrid,
        stored.state,
        f"{stored.plan.net_kw:.0f} kW",
        f"{len(stored.approvals)} of {view.approvals_needed}",
        "" if left_s is None else f"{left_s:.0f} s",
        stored.digest[:DIGEST_SHOWN],
        stored.reason,
    )
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in cells)}</tr>"


def _stop_form(signed: Signed) -> str:
    if not may(signed.session.role, Permission.STOP):
        return ""
    return (
        '<form method="post" action="/plain/stop">'
        f'<input type="hidden" name="csrf" value="{escape(signed.csrf)}">'
        "<button>STOP ALL DISPATCH</button></form>"
    )


_LOGIN = """<h1>gridctl</h1><form method="post" action="/plain/login">
<p><label>User <input name="user" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required>
</label></p><p><label>Code of your generator, or a recovery code, if you have one
<input name="code" autocomplete="one-time-code"></label></p>
<p><button>Sign in</button></p></form>"""
