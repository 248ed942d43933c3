"""An OpenID Connect provider on loopback that can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey


@dataclass
class IdentityProvider:
    """`claims`: over the honest ones. `lie`: what is wrong with the token or the answer."""

    issuer: str = ""
    client_id: str = "gridctl"
    claims: dict[str, Any] = field(default_factory=dict)
    lie: str = ""
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1"}))
    asked: dict[str, str] = field(default_factory=dict)
    tokens: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[IdentityProvider]:
        """Serve until the block ends."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        async with TestServer(app) as server:
            self.issuer = str(server.make_url("")).rstrip("/")
            yield self

    async def _metadata(self, request: web.Request) -> web.Response:
        other = "http://127.0.0.1:1" if self.lie == "metadata of another" else self.issuer
        return web.json_response(
            {
                "issuer": other,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        """The person has signed in there: back with a code."""
        self.asked = dict(request.query)
        back = urlencode({"code": "c0de", "state": self.asked["state"]})
        return web.Response(
            status=303, headers={"Location": f"{self.asked['redirect_uri']}?{back}"}
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        sent = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if sent != self.asked["code_challenge"] or form["code"] != "c0de":
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.tokens += 1
        return web.json_response({"id_token": self._id_token(), "token_type": "Bearer"})

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    def _id_token(self) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "s-1",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "preferred_username": "grete",
            "name": "Grete Hansen",
            "groups": ["grid-operators"],
            **self.claims,
        }
        if self.lie == "no signature":
            head, body = ({"alg": "none"}, claims)
            return f"{_part(head)}.{_part(body)}."
        if self.lie == "shared key":
            public = OctKey.import_key(json.dumps(self.key.as_dict(private=False)))
            return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, public)
        key = ECKey.generate_key("P-256") if self.lie == "another key" else self.key
        return jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key)


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
