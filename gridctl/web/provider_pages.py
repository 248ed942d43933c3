"""/oidc: to the identity provider and back."""

from __future__ import annotations

from html import escape

from aiohttp import web

from gridctl.model.errors import RefusedError, UnavailableError
from gridctl.web.people import People
from gridctl.web.problem import problem
from gridctl.web.provider import FLOW_LIFE_S, Provider
from gridctl.web.proving import PROVIDER, Proved
from gridctl.web.signin_pages import SignInPages

STATE_COOKIE = "gridctl_oidc"


class ProviderPages:
    """The two steps. Both are pages, not API: a browser walks through them."""

    def __init__(
        self, *, provider: Provider | None, people: People, sign_in: SignInPages, secure: bool
    ) -> None:
        self._provider = provider
        self._people = people
        self._sign_in = sign_in
        self._secure = secure

    async def start(self, request: web.Request) -> web.StreamResponse:
        """To the provider."""
        if self._provider is None:
            return problem(404, "no_provider", "No identity provider is set up")
        try:
            where, state = await self._provider.begin()
        except UnavailableError as error:
            return _page(str(error), 503)
        response = web.Response(status=303, headers={"Location": where})
        response.set_cookie(
            STATE_COOKIE,
            state,
            path="/oidc",
            max_age=int(FLOW_LIFE_S),
            httponly=True,
            secure=self._secure,
            # Lax, not Strict: the way back begins at another site.
            samesite="Lax",
        )
        return response

    async def callback(self, request: web.Request) -> web.StreamResponse:
        """Back from the provider."""
        if self._provider is None:
            return problem(404, "no_provider", "No identity provider is set up")
        query = request.query
        try:
            guest = await self._provider.finish(
                state=query.get("state", ""),
                held_state=request.cookies.get(STATE_COOKIE, ""),
                code=query.get("code", ""),
            )
            user = await self._people.users.welcome_guest(
                guest.name,
                guest.full_name,
                role=guest.role,
                areas=guest.areas,
                source=self._provider.issuer,
            )
        except RefusedError as error:
            await self._sign_in.note(request, "", f"refused: {'; '.join(error.refusal.reasons)}")
            return _page("; ".join(error.refusal.reasons), 403)
        except UnavailableError as error:
            return _page(str(error), 503)
        response = await self._sign_in.admitted(
            request, Proved(user=user, factor=PROVIDER), page="/"
        )
        response.del_cookie(STATE_COOKIE, path="/oidc")
        return response


def _page(why: str, status: int) -> web.Response:
    return web.Response(
        text=f'<!doctype html><html lang="en"><title>gridctl</title><h1>Not signed in</h1>'
        f'<p>{escape(why)}</p><p><a href="/">Back</a></p></html>',
        content_type="text/html",
        status=status,
    )
