"""Security keys (WebAuthn level 3) as the console's server sees them; the checks are fido2's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    UserVerificationRequirement,
)

from gridctl.store.factors import SecurityKey

State = dict[str, Any]


class NoProof(ValueError):  # noqa: N818 - read as a sentence in `except NoProof`
    """What the browser sent proves nothing; the text says what is wrong with it."""


class SecurityKeys:
    """One relying party. `origin`: the console's address as browsers see it (https, or localhost).

    Raises ValueError for an address without a name: browsers take no security key there.
    """

    def __init__(self, *, origin: str, site: str) -> None:
        host = urlsplit(origin).hostname
        if host is None or host.replace(".", "").isdecimal() or ":" in host:
            raise ValueError(f"{origin} has no host name")
        self.origin = origin
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=host, name=site),
            verify_origin=lambda found: found == origin,
        )

    def enrol(
        self, user: str, full_name: str, held: Sequence[SecurityKey]
    ) -> tuple[dict[str, Any], State]:
        """Options for `navigator.credentials.create`, and what to keep until the answer."""
        options, state = self._server.register_begin(
            PublicKeyCredentialUserEntity(id=user.encode(), name=user, display_name=full_name),
            credentials=[AttestedCredentialData(key.public) for key in held],
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return _json(options), state

    def enrolled(
        self, state: State, answer: Mapping[str, Any], *, label: str, now_s: float
    ) -> SecurityKey:
        """The new key. Raises NoProof."""
        try:
            found = self._server.register_complete(state, answer)
        except Exception as error:  # noqa: BLE001 - a library reads what a browser sent: all is a no
            raise NoProof(f"the security key was not enrolled: {error}") from None
        data = found.credential_data
        if data is None:
            raise NoProof("the security key sent no credential")
        return SecurityKey(
            id=websafe_encode(data.credential_id),
            label=label,
            public=bytes(data),
            sign_count=found.counter,
            added_s=now_s,
        )

    def challenge(self, held: Sequence[SecurityKey]) -> tuple[dict[str, Any], State]:
        """Options for `navigator.credentials.get`, and what to keep until the answer."""
        options, state = self._server.authenticate_begin(
            [AttestedCredentialData(key.public) for key in held],
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return _json(options), state

    def proved(
        self, state: State, held: Sequence[SecurityKey], answer: Mapping[str, Any]
    ) -> tuple[str, int]:
        """Which key has signed, and its counter. Raises NoProof."""
        try:
            found = self._server.authenticate_complete(
                state, [AttestedCredentialData(key.public) for key in held], answer
            )
            counter = AuthenticationResponse.from_dict(answer).response.authenticator_data.counter
        except Exception as error:  # noqa: BLE001 - a library reads what a browser sent: all is a no
            raise NoProof(f"the security key proves nothing: {error}") from None
        return websafe_encode(found.credential_id), counter


def _json(options: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(dict(options)))  # type: ignore[call-overload]
    return found
