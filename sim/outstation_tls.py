"""TLS in front of a simulated outstation: mutual, with the one master's name pinned."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from gridctl.model.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class OutstationTls:
    """PEM files: the outstation's certificate and key, the authority of its master, and the name
    that must stand in the master's certificate."""

    certificate: Path
    key: Path
    client_ca: Path
    client_name: str

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later, a client certificate required. ConfigError for a file that will not
        do."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.verify_mode = ssl.CERT_REQUIRED
        try:
            made.load_cert_chain(self.certificate, self.key)
            made.load_verify_locations(cafile=self.client_ca)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"TLS of the outstation: {error.strerror or error}", file=str(self.certificate)
            ) from None
        return made
