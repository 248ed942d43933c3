"""A security key in software, as strict as a test needs it: ES256, one credential."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData


class SoftKey:
    """`count`: its counter of signatures; set it back, and it is a copy."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = secrets.token_bytes(32)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What a browser gives back for creation options."""
        public = options["publicKey"]
        data = self._data(
            public["rp"]["id"],
            AttestedCredentialData.create(
                Aaguid.NONE,
                self._id,
                ES256.from_cryptography_key(self._key.public_key()),  # type: ignore[no-untyped-call]
            ),
        )
        return self._answer(
            clientDataJSON=self._client("webauthn.create", public["challenge"]),
            attestationObject=bytes(AttestationObject.create("none", data, {})),
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """What a browser gives back for request options."""
        public = options["publicKey"]
        self.count += 1
        data = bytes(self._data(public["rpId"]))
        client = self._client("webauthn.get", public["challenge"])
        signed = data + hashlib.sha256(client).digest()
        return self._answer(
            clientDataJSON=client,
            authenticatorData=data,
            signature=self._key.sign(signed, ec.ECDSA(hashes.SHA256())),
        )

    def _data(self, host: str, credential: AttestedCredentialData | None = None) -> Any:
        flag = AuthenticatorData.FLAG
        flags = flag.UP | (flag.AT if credential is not None else flag(0))
        return AuthenticatorData.create(
            hashlib.sha256(host.encode()).digest(), flags, self.count, credential or b""
        )

    def _client(self, kind: str, challenge: str) -> bytes:
        assert websafe_decode(challenge)
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _answer(self, **parts: bytes) -> dict[str, Any]:
        name = websafe_encode(self._id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": {k: websafe_encode(v) for k, v in parts.items()},
            "clientExtensionResults": {},
        }
