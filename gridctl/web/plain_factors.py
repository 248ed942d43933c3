"""`/plain/factors`: enrol a code generator and make recovery codes without a script."""

from __future__ import annotations

from html import escape

from aiohttp import web

from gridctl.model.totp import shown
from gridctl.web.auth import SIGNED
from gridctl.web.factor_pages import FactorPages
from gridctl.web.pages import page
from gridctl.web.people import People
from gridctl.web.problem import problem
from gridctl.web.qrcode import qr_code


class PlainFactors:
    """The page and its forms; the gate has proved session, CSRF and a fresh proof."""

    def __init__(self, *, factors: FactorPages, people: People) -> None:
        self._factors = factors
        self._people = people

    async def held(self, request: web.Request) -> web.StreamResponse:
        """What the person has, and the two forms."""
        held = await self._people.factors.of(request[SIGNED].session.user)
        generator = "enrolled" if held.totp is not None else "not enrolled"
        return page(
            f"<h1>Second factors</h1><p>Code generator: {generator}. Security keys: "
            f"{len(held.keys)}. Recovery codes that are good: {held.recovery_left}.</p>"
            + _form(request, "/plain/factors/code", "<button>Enrol a code generator</button>")
            + _form(request, "/plain/factors/recovery", "<button>New recovery codes</button>")
            + _BACK
        )

    async def begin_code(self, request: web.Request) -> web.StreamResponse:
        """The secret as a QR code and as text, and a field for the first code."""
        begun = self._factors.new_secret(request)
        if begun is None:
            return problem(409, "no_codes", "Code generators cannot be used here")
        secret, uri = begun
        return page(
            "<h1>Enrol a code generator</h1><p>Let the app on your telephone see this, or type the "
            f"secret into it. It is shown this once.</p><p>{qr_code(uri).svg()}</p>"
            f"<p><code>{escape(shown(secret))}</code></p>"
            + _form(
                request,
                "/plain/factors/confirm",
                '<label>The code that the app shows now <input name="code" inputmode="numeric" '
                'autocomplete="one-time-code" required></label> <button>Confirm</button>',
            )
            + _BACK
        )

    async def confirm_code(self, request: web.Request) -> web.StreamResponse:
        """The first code of it."""
        trouble = await self._factors.confirmed(request, str((await request.post())["code"]))
        if trouble is not None:
            return trouble
        return page(f"<h1>The code generator is enrolled.</h1>{_BACK}")

    async def recovery(self, request: web.Request) -> web.StreamResponse:
        """A new set of codes, shown this once."""
        codes = await self._factors.new_recovery(request)
        if codes is None:
            return problem(409, "no_factor", "Enrol a code generator or a security key first")
        rows = "".join(f"<li><code>{code}</code></li>" for code in codes)
        return page(
            "<h1>Recovery codes</h1><p>Print them and lock them away. Each lets you in once when "
            "your generator or key is lost; then you enrol another. They are shown this once, and "
            f"those before are worth nothing.</p><ul>{rows}</ul>{_BACK}"
        )


_BACK = '<p><a href="/plain">Plans and STOP</a></p>'


def _form(request: web.Request, action: str, inside: str) -> str:
    return (
        f'<form method="post" action="{action}">'
        f'<input type="hidden" name="csrf" value="{escape(request[SIGNED].csrf)}">{inside}</form>'
    )
