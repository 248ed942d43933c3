"""To the device: a serial line, TCP, or TLS 1.2 / 1.3 with both sides shown and its name pinned.

TLS is on Python's ssl, hence on the host's current OpenSSL; the one in the native wheel is years
old and checks no name (dnp3.md G9).
"""

from __future__ import annotations

import asyncio
import os
import ssl

from cryptography import x509

from gridctl.model.errors import ConfigError, UnavailableError
from protocols.dnp3.serialport import open_serial
from protocols.dnp3.settings import SerialPort, Tls, Way


def tls_context(tls: Tls, *, file: str) -> ssl.SSLContext:
    """A client context that trusts `tls.ca` alone. Raises ConfigError for files of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=tls.ca)
        context.load_cert_chain(tls.certificate, tls.key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"the TLS files cannot be used: {error}",
            file=file,
            key="field.links.certificate",
            hint="ca, certificate and key are PEM files that belong together",
        ) from error
    return context


def own_until_s(tls: Tls) -> float:
    """When our own certificate ends, UTC seconds."""
    certificate = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
    return certificate.not_valid_after_utc.timestamp()


async def dial(
    end: asyncio.BufferedProtocol,
    endpoint: Way,
    *,
    timeout_s: float,
    context: ssl.SSLContext | None,
    name: str | None,
) -> asyncio.BaseTransport:
    """Connect `end` to `endpoint`; with `context` only to a device that proves to be `name`.

    Raises UnavailableError with the reason.
    """
    if isinstance(endpoint, SerialPort):
        return open_serial(end, endpoint)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await loop.create_connection(
                lambda: end,
                endpoint.host,
                endpoint.port,
                ssl=context,
                server_hostname=name if context is not None else None,
            )
    except TimeoutError:
        raise UnavailableError(f"{endpoint}: no connection in {timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise UnavailableError(
            f"{endpoint}: the device's certificate is not accepted: {error.verify_message}"
        ) from error
    except (ssl.SSLError, OSError) as error:
        told = os.strerror(error.errno) if error.errno else str(error)
        if isinstance(error, ssl.SSLError):
            told = f"no TLS: {error.reason or error}"
        raise UnavailableError(f"{endpoint}: {told}") from error
    return transport


def device_until_s(transport: asyncio.BaseTransport) -> float | None:
    """When the certificate that the device has shown ends, UTC seconds; None without TLS."""
    shown = transport.get_extra_info("peercert")
    return float(ssl.cert_time_to_seconds(shown["notAfter"])) if shown else None
