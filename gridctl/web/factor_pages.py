"""/api/v1/factors: a person enrols a code generator or a security key of his own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from gridctl.control.ports import AuditEntry
from gridctl.model.clock import Clock
from gridctl.model.recovery import new_codes
from gridctl.model.totp import SECRET_BYTES, matching_step, shown, uri_of
from gridctl.web.api import body_of
from gridctl.web.auth import SIGNED, Gate, person_of
from gridctl.web.json_values import iso
from gridctl.web.people import People
from gridctl.web.problem import problem
from gridctl.web.qrcode import qr_code
from gridctl.web.securitykeys import NoProof, State
from gridctl.web.signin_pages import text_of

PENDING_MAX = 200
PENDING_LIFE_S = 600.0
LABEL_CHARS_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """An enrolment that waits for its proof. By session: nobody ends another's."""

    until_mono_s: float
    secret: bytes = b""
    state: State | None = None


class FactorPages:
    """The handlers; a fresh proof of the person stands before all that change something."""

    def __init__(self, *, people: People, gate: Gate, clock: Clock) -> None:
        self._people = people
        self._gate = gate
        self._clock = clock
        self._pending: dict[str, _Pending] = {}

    async def held(self, request: web.Request) -> web.StreamResponse:
        """What the person has enrolled."""
        held = await self._people.factors.of(request[SIGNED].session.user)
        return web.json_response(
            {
                "code": held.totp is not None,
                "recovery_left": held.recovery_left,
                "keys": [
                    {"id": k.id, "label": k.label, "added": iso(k.added_s)} for k in held.keys
                ],
                "codes_possible": self._people.sealer is not None,
                "key_origin": None if self._people.keys is None else self._people.keys.origin,
            }
        )

    async def begin_code(self, request: web.Request) -> web.StreamResponse:
        """A new secret, for the app; nothing holds until a code of it has come back."""
        await body_of(request)
        begun = self.new_secret(request)
        if begun is None:
            return problem(409, "no_codes", "Code generators cannot be used here")
        secret, uri = begun
        qr = qr_code(uri)
        return web.json_response(
            {"secret": shown(secret), "uri": uri, "qr": {"size": qr.size, "path": qr.path}}
        )

    def new_secret(self, request: web.Request) -> tuple[bytes, str] | None:
        """A secret that waits for its first code, and its address, for every page that shows them;
        None: no code generators here."""
        if self._people.sealer is None:
            return None
        secret = secrets.token_bytes(SECRET_BYTES)
        session = request[SIGNED].session
        self._wait(session.id, _Pending(until_mono_s=self._until(), secret=secret))
        return secret, uri_of(secret, user=session.user, issuer=self._people.site)

    async def confirm_code(self, request: web.Request) -> web.StreamResponse:
        """The first code of the new generator: from now on it is asked for."""
        body = await body_of(request, code=str)
        return await self.confirmed(request, body["code"]) or web.json_response({})

    async def confirmed(self, request: web.Request, code: str) -> web.Response | None:
        """Enrol the generator whose code this is; the problem that stands in the way, else None."""
        session = request[SIGNED].session
        pending = self._pending.get(session.id)
        sealer = self._people.sealer
        if sealer is None or pending is None or not pending.secret or self._is_late(pending):
            return problem(409, "no_enrolment", "No enrolment waits for a code: begin again")
        step = matching_step(pending.secret, code, now_s=self._people.real.now_s(), last_step=None)
        if step is None:
            return problem(
                409,
                "wrong_code",
                "The code does not fit",
                detail="is the clock of the device right, and the code the newest one?",
            )
        del self._pending[session.id]
        await self._people.factors.put_totp(
            session.user,
            sealer.seal(pending.secret, about=session.user),
            step=step,
            audit=self._entry(request, "enrol code generator"),
        )
        return None

    async def recovery(self, request: web.Request) -> web.StreamResponse:
        """New recovery codes, shown this once; those before are worth nothing."""
        await body_of(request)
        codes = await self.new_recovery(request)
        if codes is None:
            return problem(409, "no_factor", "Enrol a code generator or a security key first")
        return web.json_response({"codes": list(codes)})

    async def new_recovery(self, request: web.Request) -> tuple[str, ...] | None:
        """For every page that shows them; None: there is no factor that they could stand for."""
        user = request[SIGNED].session.user
        if not (await self._people.factors.of(user)).any:
            return None
        codes = new_codes()
        hashes = [await self._people.users.hashed(code) for code in codes]
        await self._people.factors.put_recovery(
            user, hashes, audit=self._entry(request, "make recovery codes", after=str(len(codes)))
        )
        return codes

    async def begin_key(self, request: web.Request) -> web.StreamResponse:
        """Options for the browser."""
        await body_of(request)
        keys = self._people.keys
        if keys is None:
            return problem(409, "no_keys", "Security keys need a console with a host name")
        session = request[SIGNED].session
        held = await self._people.factors.of(session.user)
        options, state = keys.enrol(session.user, session.full_name, held.keys)
        self._wait(session.id, _Pending(until_mono_s=self._until(), state=state))
        return web.json_response(options)

    async def confirm_key(self, request: web.Request) -> web.StreamResponse:
        """The new key's answer: from now on it is asked for."""
        body = await body_of(request, label=str, credential=dict)
        label = text_of(body, "label", longest=LABEL_CHARS_MAX)
        session = request[SIGNED].session
        pending = self._pending.pop(session.id, None)
        keys = self._people.keys
        if keys is None or pending is None or pending.state is None or self._is_late(pending):
            return problem(409, "no_enrolment", "No enrolment waits for a key: begin again")
        try:
            key = keys.enrolled(
                pending.state, body["credential"], label=label, now_s=self._people.real.now_s()
            )
        except NoProof as error:
            return problem(409, "no_proof", "The key was not enrolled", detail=str(error))
        await self._people.factors.add_key(
            session.user, key, audit=self._entry(request, "enrol security key", after=label)
        )
        return web.json_response({})

    def _until(self) -> float:
        return self._clock.monotonic_s() + PENDING_LIFE_S

    def _is_late(self, pending: _Pending) -> bool:
        return pending.until_mono_s < self._clock.monotonic_s()

    def _wait(self, session: str, pending: _Pending) -> None:
        for key, old in list(self._pending.items()):
            if self._is_late(old) or len(self._pending) >= PENDING_MAX:
                del self._pending[key]
        self._pending[session] = pending

    def _entry(self, request: web.Request, action: str, *, after: str = "") -> AuditEntry:
        person = person_of(request)
        return AuditEntry(
            at_s=self._clock.now_s(),
            who=person.user,
            session=person.session,
            source=person.source,
            role=person.role,
            action=action,
            object=person.user,
            before="",
            after=after,
            reason="",
            plan_digest="",
            result="done",
        )
