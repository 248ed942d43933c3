"""Secrets that must be read again (of code generators) are sealed before they go into the database.

AES-256-GCM under a key in a file of its own, mode 0600: a copy of the database alone opens nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridctl.model.errors import ConfigError

KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens; `about` (whose secret it is) is bound to what is sealed."""

    def __init__(self, key: bytes, *, file: str) -> None:
        self._cipher = AESGCM(key)
        self._file = file

    def seal(self, secret: bytes, *, about: str) -> bytes:
        """Nonce and sealed secret."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, about.encode())

    def open(self, sealed: bytes, *, about: str) -> bytes:
        """The secret. Raises ConfigError when another key has sealed it."""
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, body, about.encode())
        except InvalidTag:
            raise ConfigError(
                f"does not open what is sealed for {about}",
                file=self._file,
                hint="put back the key file that belongs to this database, or reset the person",
            ) from None


def load_sealer(file: Path) -> Sealer:
    """The key in `file`; made there (mode 0600) when it is missing. Raises ConfigError."""
    try:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = file.read_bytes()
        else:
            key = os.urandom(KEY_BYTES)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(key)
    except OSError as error:
        raise ConfigError(f"cannot be read or made: {error.strerror}", file=str(file)) from None
    if len(key) != KEY_BYTES:
        raise ConfigError(f"is not a key of {KEY_BYTES} bytes", file=str(file))
    return Sealer(key, file=str(file))
