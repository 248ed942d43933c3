"""Addresses that clients want to be called at: checked before they are believed, and each time.

A callback makes this server send requests where a client says. So: https, a public address, no
redirect, and an answer to a challenge before the first notification (OpenADR 3.1.0, User Guide,
webhooks). Each rule is a switch of its own, on unless a test profile says otherwise.
"""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp import abc, resolver
from yarl import URL

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 4_096
CONNECTIONS_MAX: Final = 64
CONNECTIONS_PER_HOST_MAX: Final = 4


class Echo(StrEnum):
    """The challenge before a callback is believed: it has to be echoed; it is sent, and any answer
    or none will do; it is not sent."""

    REQUIRED = "required"
    ASKED = "asked"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPolicy:
    """What a callback may be. The strict one is the default."""

    allow_http: bool = False
    allow_private: bool = False
    echo: Echo = Echo.REQUIRED


class CallbackError(Exception):
    """Why a callback is refused, or was not reached; for the client that named it."""


class PublicResolver(abc.AbstractResolver):
    """Resolves names, and forgets every address that is not a public one: what a name meant when it
    was checked is not what it means when it is called."""

    def __init__(self, policy: CallbackPolicy) -> None:
        self._policy = policy
        self._inner = resolver.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[abc.ResolveResult]:
        """The usable addresses of `host`. Raises OSError when there are none."""
        found = await self._inner.resolve(host, port, family)
        usable = [one for one in found if is_allowed(one["host"], self._policy)]
        if found and not usable:
            raise OSError(errno.EACCES, f"{host} is not a public address")
        return usable

    async def close(self) -> None:
        await self._inner.close()


def is_allowed(address: str, policy: CallbackPolicy) -> bool:
    """Whether requests may go to this IP address."""
    if policy.allow_private:
        return True
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        # ::ffff:10.0.0.1 and 64:ff9b::10.0.0.1 are ways to write an IPv4 address
        found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast


def check_url(text: str, policy: CallbackPolicy) -> URL:
    """The callback as a URL. Raises CallbackError for what the policy does not allow."""
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise CallbackError(f"it is no URL: {error}") from error
    schemes = ("https", "http") if policy.allow_http else ("https",)
    if url.scheme not in schemes:
        raise CallbackError(f"it has to be {' or '.join(schemes)}")
    if not url.host or port is None:
        raise CallbackError("it names no host")
    if url.user or url.password:
        raise CallbackError("it carries a user or a password: use bearerToken")
    if url.fragment:
        raise CallbackError("it has a fragment")
    try:
        literal = is_allowed(url.host, policy)
    except ValueError:
        return url  # a name: judged when it is resolved
    if not literal:
        raise CallbackError("its address is not a public one")
    return url


def open_session(policy: CallbackPolicy) -> aiohttp.ClientSession:
    """The session that all callbacks go through: bounded, without cookies or proxies."""
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(policy),
        use_dns_cache=False,
        limit=CONNECTIONS_MAX,
        limit_per_host=CONNECTIONS_PER_HOST_MAX,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        trust_env=False,
        headers={"User-Agent": "gridctl-openadr"},
    )


async def challenge(
    session: aiohttp.ClientSession, url: URL, bearer: str | None, policy: CallbackPolicy
) -> None:
    """Ask the callback to echo a random word. Raises CallbackError when it has to and does not."""
    if policy.echo is Echo.OFF:
        return
    try:
        await _echoed(session, url, bearer)
    except CallbackError:
        if policy.echo is Echo.REQUIRED:
            raise


async def _echoed(session: aiohttp.ClientSession, url: URL, bearer: str | None) -> None:
    word = secrets.token_urlsafe(24)
    try:
        async with session.get(
            url.update_query(echo=word), headers=authorization(bearer), allow_redirects=False
        ) as answer:
            body = await answer.content.read(ANSWER_BYTES_MAX)
            status = answer.status
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise CallbackError(f"it was not reached: {told(error)}") from error
    if status != HTTPStatus.OK or word.encode() not in body:
        raise CallbackError(f"it did not echo the challenge (status {status})")


def authorization(bearer: str | None) -> dict[str, str]:
    """The header that the subscriber asked for."""
    return {} if bearer is None else {"Authorization": f"Bearer {bearer}"}


def told(error: BaseException) -> str:
    """An error of the network in one line."""
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT_S:g} s"
    return (str(error) or type(error).__name__).splitlines()[0][:200]
