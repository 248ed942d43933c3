"""A person proves who he is: password, then a second factor where one is enrolled; and again
before an act that needs a fresh proof (step-up, SG-07).

A *ticket* stands for a proof that is half done: 256 random bits, bound to one person and one
purpose, good for two minutes and five tries. Tickets live in memory and their number is bounded.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gridctl.model.clock import Clock
from gridctl.model.record import AuditEntry
from gridctl.model.recovery import parsed
from gridctl.model.totp import matching_step
from gridctl.sealing import Sealer
from gridctl.store.factors import SecurityKey, UserFactors
from gridctl.store.users import UserRow
from gridctl.web.securitykeys import NoProof, SecurityKeys, State

TICKETS_MAX = 1_000
TICKET_LIFE_S = 120.0
TRIES_MAX = 5
TICKET_BYTES = 32

PASSWORD, CODE, KEY, PROVIDER = "password", "code", "key", "provider"
RECOVERY = "recovery"
"""A session that began with it may look, STOP and enrol, until a second factor has been shown."""
SECOND_FACTORS = frozenset({CODE, KEY})


class FactorStore(Protocol):
    """The part of `store.factors` that proving needs."""

    async def of(self, user: str) -> UserFactors: ...

    async def use_step(self, user: str, step: int) -> bool: ...

    async def note_signature(self, key: str, sign_count: int) -> bool: ...

    async def recovery_hash(self, user: str, number: int) -> str | None: ...

    async def use_recovery(self, user: str, number: int, *, audit: AuditEntry) -> bool: ...


class Passwords(Protocol):
    """The part of `store.users` that proving needs."""

    async def verify_password(
        self, name: str, password: str, *, complete: bool = True
    ) -> UserRow | None: ...

    async def note_second(self, name: str, *, right: bool) -> bool: ...

    async def user(self, name: str) -> UserRow | None: ...

    async def is_hash_of(self, stored: str, secret: str) -> bool: ...


@dataclass(slots=True, kw_only=True)
class Ticket:
    """`session`: the token of the session that is to be proved again; empty for a new one."""

    token: str
    user: UserRow
    session: str
    methods: tuple[str, ...]
    until_mono_s: float
    keys: tuple[SecurityKey, ...] = ()
    tries: int = 0
    challenge: State = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """Who, by what; `session` as in the ticket."""

    user: UserRow
    factor: str
    session: str = ""


class Proving:
    """The proofs of all people. `sealer` None: no code generators here; `keys` None: no security
    keys (the console has no name that browsers would bind them to)."""

    def __init__(
        self,
        *,
        passwords: Passwords,
        factors: FactorStore,
        clock: Clock,
        real: Clock,
        sealer: Sealer | None,
        keys: SecurityKeys | None,
    ) -> None:
        self._passwords = passwords
        self._factors = factors
        self._clock = clock
        self._real = real
        self._sealer = sealer
        self._keys = keys
        self._tickets: dict[str, Ticket] = {}

    async def begin(self, name: str, password: str) -> Proved | Ticket | None:
        """The password: enough, or a ticket for the second factor, or None (wrong, unknown,
        locked; which of them is not told)."""
        held = await self._factors.of(name)
        user = await self._passwords.verify_password(name, password, complete=not held.any)
        if user is None:
            return None
        if not held.any:
            return Proved(user=user, factor=PASSWORD)
        methods = self._methods(held)
        # Only to come in: what needs a fresh proof needs the factor itself.
        methods += (RECOVERY,) if held.recovery_left else ()
        return self._ticket(user, "", methods, held.keys)

    async def begin_again(self, name: str, session: str) -> Ticket | None:
        """A ticket for a fresh proof: by a second factor where there is one, else the password;
        who came through an identity provider goes there again."""
        user = await self._passwords.user(name)
        if user is None:
            return None
        held = await self._factors.of(name)
        methods = self._methods(held) if held.any else (PASSWORD,)
        if user.source != "local":
            methods = (PROVIDER,)
        return self._ticket(user, session, methods, held.keys)

    async def by_password(self, token: str, password: str) -> Proved | None:
        """For a ticket whose method it is."""
        ticket = self._tried(token, PASSWORD)
        if ticket is None:
            return None
        found = await self._passwords.verify_password(ticket.user.name, password)
        return None if found is None else self._done(ticket, PASSWORD)

    async def by_code(self, token: str, code: str) -> Proved | None:
        """A code of the person's generator; each is good once."""
        ticket = self._tried(token, CODE)
        if ticket is None or self._sealer is None:
            return None
        name = ticket.user.name
        held = await self._factors.of(name)
        step = None
        if held.totp is not None:
            secret = self._sealer.open(held.totp, about=name)
            step = matching_step(secret, code, now_s=self._real.now_s(), last_step=held.totp_step)
        fresh = step is not None and await self._factors.use_step(name, step)
        right = await self._passwords.note_second(name, right=fresh)
        return self._done(ticket, CODE) if right else None

    async def by_recovery(self, token: str, code: str, *, audit: AuditEntry) -> Proved | None:
        """One of the codes that were shown once; each is good once."""
        ticket, typed = self._tried(token, RECOVERY), parsed(code)
        if ticket is None:
            return None
        name, fresh = ticket.user.name, False
        if typed is not None:
            number, whole = typed
            stored = await self._factors.recovery_hash(name, number)
            if stored is not None and await self._passwords.is_hash_of(stored, whole):
                fresh = await self._factors.use_recovery(name, number, audit=audit)
        right = await self._passwords.note_second(name, right=fresh)
        return self._done(ticket, RECOVERY) if right else None

    def challenge(self, token: str) -> Mapping[str, Any] | None:
        """What the person's security key has to sign."""
        ticket = self._ticket_of(token)
        if ticket is None or KEY not in ticket.methods or self._keys is None:
            return None
        options, ticket.challenge = self._keys.challenge(ticket.keys)
        return options

    async def by_key(self, token: str, answer: Mapping[str, Any]) -> Proved | None:
        """The signature of a security key; each challenge is good once."""
        ticket = self._tried(token, KEY)
        if ticket is None or self._keys is None or not ticket.challenge:
            return None
        state, ticket.challenge = ticket.challenge, {}
        try:
            key, count = self._keys.proved(state, ticket.keys, answer)
            right = await self._factors.note_signature(key, count)
        except NoProof:
            right = False
        right = await self._passwords.note_second(ticket.user.name, right=right)
        return self._done(ticket, KEY) if right else None

    def purpose(self, token: str) -> tuple[str, str]:
        """Whose ticket it is and for which session; empty when it is none."""
        ticket = self._ticket_of(token)
        return ("", "") if ticket is None else (ticket.user.name, ticket.session)

    def _methods(self, held: UserFactors) -> tuple[str, ...]:
        found = []
        if held.keys:
            found.append(KEY)
        if held.totp is not None:
            found.append(CODE)
        return tuple(found)

    def _ticket(
        self, user: UserRow, session: str, methods: Sequence[str], keys: tuple[SecurityKey, ...]
    ) -> Ticket:
        now = self._clock.monotonic_s()
        for token, old in list(self._tickets.items()):
            if old.until_mono_s < now or len(self._tickets) >= TICKETS_MAX:
                del self._tickets[token]
        made = Ticket(
            token=secrets.token_urlsafe(TICKET_BYTES),
            user=user,
            session=session,
            methods=tuple(methods),
            until_mono_s=now + TICKET_LIFE_S,
            keys=keys,
        )
        self._tickets[made.token] = made
        return made

    def _ticket_of(self, token: str) -> Ticket | None:
        ticket = self._tickets.get(token)
        if ticket is None or ticket.until_mono_s < self._clock.monotonic_s():
            return None
        return ticket

    def _tried(self, token: str, method: str) -> Ticket | None:
        """The ticket for one more try with `method`; the fifth wrong one ends it."""
        ticket = self._ticket_of(token)
        if ticket is None or method not in ticket.methods:
            return None
        ticket.tries += 1
        if ticket.tries > TRIES_MAX:
            self._tickets.pop(token, None)
            return None
        return ticket

    def _done(self, ticket: Ticket, factor: str) -> Proved:
        self._tickets.pop(ticket.token, None)
        return Proved(user=ticket.user, factor=factor, session=ticket.session)
