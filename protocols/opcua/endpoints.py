"""Whom are we about to talk to: the endpoints that a server offers, and its certificate judged.

GetEndpoints goes over an unencrypted channel and may be answered by anyone. Nothing secret leaves
before the certificate that it shows has passed the trust list, and the channel is then opened
towards that very certificate, so only the holder of its key can go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import (
    SecurityPolicy,
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)
from asyncua.ua.uaerrors._base import UaError
from cryptography import x509

from gridctl.model.errors import UnavailableError
from gridctl.model.link import RejectedCertificate
from gridctl.wallclock import system_clock
from protocols.opcua.settings import OpcUaSettings
from protocols.opcua.trust import application_uris, entry_of, judge
from protocols.traffic import TEXT_MAX

POLICY_TYPES: Final[Mapping[str, type[SecurityPolicy]]] = {
    "Basic256Sha256": SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": SecurityPolicyAes256Sha256RsaPss,
}
_CHAIN_MAX: Final = 4
_LONG_FORM: Final = 0x80  # X.690 §8.1.3.5: the length stands in as many octets as the low bits say
_REQUESTS: Final = 4  # connect, hello, open channel, GetEndpoints: each with the link's timeout


class UntrustedError(UnavailableError):
    """The server's certificate is refused: which one, why, and what a person can do."""

    def __init__(
        self, status: str, certificate: x509.Certificate, *, link: str, kept: bool
    ) -> None:
        shown = entry_of(certificate, "rejected")
        command = f"gridctl opcua trust accept {shown.thumbprint} --link {link}"
        pinned = "replace the pinned server_certificate"
        self.rejected = RejectedCertificate(
            thumbprint=shown.thumbprint,
            sha256=shown.sha256,
            subject=shown.subject[:TEXT_MAX],
            application_uri=shown.application_uri[:TEXT_MAX],
            valid_from_s=shown.valid_from_s,
            valid_until_s=shown.valid_until_s,
            why=status,
            remedy=command if kept else pinned,
        )
        super().__init__(
            f"{status}: the server shows {shown.subject} with thumbprint {shown.thumbprint}; "
            f"if its owner confirms it, {f'`{command}`' if kept else pinned}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A server's certificate. `blind`: the server shows none to strangers, this is the pinned one;
    `issuers` came along with it."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()
    application_uri: str
    blind: bool = False


async def judged_certificate(settings: OpcUaSettings, url: str) -> Shown:
    """The certificate that the server shows for our policy, judged. Raises UntrustedError, and
    keeps it for a person, when it is refused; else one of the connection's errors."""
    pinned, trust = settings.credentials.pinned, settings.trust_list
    shown = await _shown_certificate(settings, url)
    certificate, issuers, uri = shown.certificate, shown.issuers, shown.application_uri
    now_s = system_clock().now_s()  # certificates live in UTC, whatever the grid's clock says
    if trust is None:
        status = judge(
            certificate,
            trusted=[] if pinned is None else [pinned],
            issuers=issuers,
            revocations=[],
            application_uri=uri,
            now_s=now_s,
        )
    else:
        status = await asyncio.to_thread(
            trust.judge,
            certificate,
            pinned=pinned,
            issuers=issuers,
            application_uri=uri,
            now_s=now_s,
        )
    if status is None:
        return shown
    if trust is not None:
        await asyncio.to_thread(trust.remember, certificate)
    raise UntrustedError(status, certificate, link=settings.link, kept=trust is not None)


async def endpoints_of(url: str, *, timeout_s: float) -> list[ua.EndpointDescription]:
    """What the server offers, asked without encryption: believe none of it."""
    client = Client(url, timeout=timeout_s)
    client.name = "gridctl field"
    async with asyncio.timeout(_REQUESTS * timeout_s):
        return await client.connect_and_get_server_endpoints()


def certificates_of(chain: bytes) -> list[x509.Certificate]:
    """The certificates of a chain, the server's own first (OPC 10000-6 §6.2.6: DER, one after the
    other). Raises ValueError when there is none."""
    found: list[x509.Certificate] = []
    while chain and len(found) < _CHAIN_MAX:
        length = _der_length(chain)
        found.append(x509.load_der_x509_certificate(chain[:length]))
        chain = chain[length:]
    if not found:
        raise ValueError("the server shows no certificate")
    return found


def _der_length(data: bytes) -> int:
    """Octets of the DER element at the front, its own head included."""
    first = data[1] if len(data) > 1 else 0
    if first < _LONG_FORM:
        return 2 + first
    octets = first - _LONG_FORM
    return 2 + octets + int.from_bytes(data[2 : 2 + octets], "big")


async def _shown_certificate(settings: OpcUaSettings, url: str) -> Shown:
    """What the endpoint of our policy shows, and the application that it says to be."""
    pinned = settings.credentials.pinned
    try:
        found = await endpoints_of(url, timeout_s=settings.timeout_s)
    except (UaError, AssertionError):
        # Some servers refuse even GetEndpoints without encryption; whom we pin we know already.
        if pinned is None:
            raise
        uri = next(iter(application_uris(pinned)), "")
        return Shown(certificate=pinned, application_uri=uri, blind=True)
    wanted = (POLICY_TYPES[settings.security_policy].URI, ua.MessageSecurityMode.SignAndEncrypt)
    for one in found:
        if (one.SecurityPolicyUri, one.SecurityMode) == wanted:
            first, *issuers = certificates_of(one.ServerCertificate or b"")
            return Shown(
                certificate=first,
                issuers=tuple(issuers),
                application_uri=str(one.Server.ApplicationUri),
            )
    offered = {
        f"{str(one.SecurityPolicyUri).rpartition('#')[2]} {one.SecurityMode.name}" for one in found
    }
    raise UnavailableError(
        f"the server does not offer {settings.security_policy} SignAndEncrypt, "
        f"it offers {', '.join(sorted(offered)) or 'nothing'}"
    )
