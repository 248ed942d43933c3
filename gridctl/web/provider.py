"""Sign-in through an identity provider: OpenID Connect, code flow with PKCE (RFC 7636).

The provider says who somebody is and in which groups; what a group may do here stands in
gridctl.toml. Everything that comes from it is checked: state, nonce, issuer, audience, time,
signature by a key of the provider, algorithm from a short list (never `none`, never a shared key).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError, UnavailableError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
SCOPE = "openid profile"
FLOW_LIFE_S = 300.0
FLOWS_MAX = 200
DEADLINE_S = 10.0
ANSWER_BYTES_MAX = 256 * 1024
CLOCK_LEEWAY_S = 60
KEYS_LIFE_S = 3_600.0
RANDOM_BYTES = 32
NAME_CHARS_MAX = 64
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRole:
    """What the members of a group are here."""

    group: str
    role: str
    areas: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """`roles`: the first group that fits counts. `name_claim`, `groups_claim`: where the user name
    and the groups stand in the ID token."""

    issuer: str
    client_id: str
    client_secret: str
    redirect: str
    name_claim: str
    groups_claim: str
    roles: tuple[GroupRole, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Whom the provider vouches for."""

    name: str
    full_name: str
    role: str
    areas: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    verifier: str
    nonce: str
    until_mono_s: float


class Provider:
    """One identity provider. `real`: the machine's UTC; `clock`: for lives."""

    def __init__(self, settings: ProviderSettings, *, clock: Clock, real: Clock) -> None:
        parts = urlsplit(settings.issuer)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError(f"{settings.issuer} is not https")
        self._settings = settings
        self._clock = clock
        self._real = real
        self._flows: dict[str, _Flow] = {}
        self._metadata: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._keys_mono_s = 0.0
        self._lock = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """Who vouches."""
        return self._settings.issuer

    async def begin(self) -> tuple[str, str]:
        """The address to send the browser to, and the state that it must bring back."""
        found = await self._discovered()
        now = self._clock.monotonic_s()
        for state, flow in list(self._flows.items()):
            if flow.until_mono_s < now or len(self._flows) >= FLOWS_MAX:
                del self._flows[state]
        state, nonce, verifier = (secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3))
        self._flows[state] = _Flow(verifier=verifier, nonce=nonce, until_mono_s=now + FLOW_LIFE_S)
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
            # A fresh proof each time: the desk may be another person's by now.
            "prompt": "login",
            "max_age": "0",
        }
        return f"{_url(found, 'authorization_endpoint')}?{urlencode(query)}", state

    async def finish(self, *, state: str, held_state: str, code: str) -> Guest:
        """Who came back. `held_state`: what this browser was given at the start.

        Raises RefusedError when anything does not fit, UnavailableError when the provider does
        not answer.
        """
        flow = self._flows.pop(state, None)
        if flow is None or not secrets.compare_digest(state, held_state):
            raise _no("this sign-in was not begun in this browser, or too long ago")
        if flow.until_mono_s < self._clock.monotonic_s():
            raise _no("this sign-in was begun too long ago")
        token = await self._token(code, flow.verifier)
        claims = await self._claims(token)
        if not secrets.compare_digest(str(claims.get("nonce", "")), flow.nonce):
            raise _no("the answer belongs to another sign-in (nonce)")
        return self._guest(claims)

    def _guest(self, claims: Mapping[str, Any]) -> Guest:
        name = str(claims.get(self._settings.name_claim, "")).strip()
        if not name or len(name) > NAME_CHARS_MAX:
            raise _no(f"the provider tells no usable name ({self._settings.name_claim})")
        told = claims.get(self._settings.groups_claim, [])
        groups = {told} if isinstance(told, str) else {str(g) for g in told or ()}
        for one in self._settings.roles:
            if one.group in groups:
                full_name = str(claims.get("name", name))[:NAME_CHARS_MAX]
                return Guest(name=name, full_name=full_name, role=one.role, areas=one.areas)
        raise _no(f"{name} is in no group that has a role here")

    async def _token(self, code: str, verifier: str) -> str:
        found = await self._discovered()
        secret = self._settings.client_secret
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect,
            "code_verifier": verifier,
            "client_id": self._settings.client_id,
        }
        headers = {}
        if secret:
            pair = f"{quote(self._settings.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._fetch(_url(found, "token_endpoint"), form=form, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _no("the provider gave no ID token")
        return token

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a genuine token; the keys are fetched again once when none fits."""
        try:
            try:
                found = jwt.decode(token, await self._key_set(), algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                keys = await self._key_set(fresh=True)
                found = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
            jwt.JWTClaimsRegistry(
                now=int(self._real.now_s()),
                leeway=CLOCK_LEEWAY_S,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
            ).validate(found.claims)
        except (JoseError, ValueError) as error:
            raise _no(f"the ID token is not good: {error}") from None
        audience = found.claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if several and found.claims.get("azp") != self._settings.client_id:
            raise _no("the ID token was made for another program (azp)")
        return dict(found.claims)

    async def _key_set(self, *, fresh: bool = False) -> KeySet:
        async with self._lock:
            age_s = self._clock.monotonic_s() - self._keys_mono_s
            if self._keys is None or fresh or age_s > KEYS_LIFE_S:
                found = await self._discovered()
                try:
                    self._keys = KeySet.import_key_set(
                        await self._fetch(_url(found, "jwks_uri"))  # type: ignore[arg-type]
                    )
                except (JoseError, ValueError, KeyError) as error:
                    raise UnavailableError(f"the provider's keys cannot be read: {error}") from None
                self._keys_mono_s = self._clock.monotonic_s()
            return self._keys

    async def _discovered(self) -> Mapping[str, Any]:
        if not self._metadata:
            place = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await self._fetch(place)
            if found.get("issuer") != self._settings.issuer:
                raise UnavailableError(
                    f"{place} is the page of {found.get('issuer')!r}, not of the issuer"
                )
            self._metadata = found
        return self._metadata

    async def _fetch(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """A JSON object from the provider, of bounded size, within the deadline."""
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=DEADLINE_S)) as client,
                client.request(
                    "GET" if form is None else "POST",
                    url,
                    data=form,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                raw = await answer.content.read(ANSWER_BYTES_MAX)
                status = answer.status
        except (ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"the identity provider does not answer: {error}") from None
        if form is not None and 400 <= status < 500:  # noqa: PLR2004 - HTTP
            raise _no("the provider does not take the code")
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if status != 200 or not isinstance(found, dict):  # noqa: PLR2004 - HTTP
            raise UnavailableError(f"the identity provider answers {status} at {url}")
        return found


def _url(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    parts = urlsplit(str(value))
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise UnavailableError(f"the identity provider names no usable {name}")
    return str(value)


def _no(reason: str) -> RefusedError:
    return RefusedError(Refusal(code="not_vouched_for", reasons=(reason,)))


def roles_of(rows: Sequence[tuple[str, str, Sequence[str]]]) -> tuple[GroupRole, ...]:
    """From the settings' rows: group, role, areas (["*"]: all)."""
    return tuple(GroupRole(group=g, role=r, areas=",".join(a)) for g, r, a in rows)
