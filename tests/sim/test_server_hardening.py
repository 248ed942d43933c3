"""Who does not get in, and what a guest cannot do (opcua.md §4, security.md row 16)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from asyncua.ua.uaerrors._base import UaError

from gridctl.pki import make_application_certificate
from tests.contracts import driver_peer as bench
from tests.contracts.peer_opcua import PASSWORD, USER
from tests.sim.opcua_stand import CLOCK, Stand, bare, connected, node, write

REFUSALS = (UaError, OSError, TimeoutError, AssertionError)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    stand = Stand(tmp_path_factory.mktemp("sim-opcua"))
    await stand.server.start()
    yield stand
    await stand.server.stop()


async def _not_let_in(client: Client) -> None:
    with pytest.raises(REFUSALS):
        await client.connect()
    protocol = client.uaclient.protocol
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()


async def test_unencrypted_channel_is_refused(stand: Stand) -> None:
    await _not_let_in(stand.client())


async def test_signed_only_channel_is_refused(stand: Stand) -> None:
    await _not_let_in(await stand.secured(stand.client(mode=ua.MessageSecurityMode.Sign)))


async def test_other_policy_is_refused(stand: Stand) -> None:
    await _not_let_in(await stand.secured(stand.client(policy=SecurityPolicyAes256Sha256RsaPss)))


async def test_anonymous_is_refused(stand: Stand) -> None:
    await _not_let_in(await stand.secured(stand.client(user=None)))


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "guess"), (USER, ""), ("admin", PASSWORD), ("admin", "")]
)
async def test_wrong_user_or_password_is_refused(stand: Stand, user: str, password: str) -> None:
    client = await stand.secured(stand.client(user=user, password=password))
    await _not_let_in(client)


async def test_untrusted_client_certificate_is_refused(stand: Stand) -> None:
    make_application_certificate(
        certificate=stand.folder / "rogue.der",
        key=stand.folder / "rogue.pem",
        common_name="rogue",
        application_uri="urn:gridctl:field",
        hosts=("localhost",),
        now_s=CLOCK.now_s(),
        days=1,
    )
    await _not_let_in(await stand.secured(stand.client(end="rogue")))


async def test_session_tokens_cannot_be_guessed(stand: Stand) -> None:
    async with connected(stand) as one, connected(stand) as two:
        tokens = [c.uaclient.session.authentication_token for c in (one, two)]
    for token in tokens:
        assert isinstance(token.Identifier, bytes)
        assert len(token.Identifier) == 32
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("password", ["guess", PASSWORD])
async def test_another_channel_cannot_take_a_session_over(stand: Stand, password: str) -> None:
    """opcua.md §4: after a failed ActivateSession on a second channel, asyncua's server serves
    that channel in the first user's name. Here not even the right password takes it over."""
    stand.plant.operated.clear()
    async with connected(stand) as victim:
        setpoint = (await node(victim, bench.SETPOINT)).nodeid
        thief = await stand.secured(stand.client(password=password))
        await thief.connect_sessionless()
        try:
            session = thief.uaclient.session
            session.restore_authentication_token(victim.uaclient.session.authentication_token)
            with pytest.raises(REFUSALS):
                await thief.activate_session(username=USER, password=password)
            with pytest.raises(REFUSALS):
                await session.write_attributes([setpoint], [bare(9.0, ua.VariantType.Double)])
        finally:
            await thief.disconnect_sessionless()
        assert stand.plant.operated == []
        # The victim goes on undisturbed.
        assert await write(victim, bench.SETPOINT, bare(8.0, ua.VariantType.Double)) == "Good"


async def test_failed_reactivation_ends_the_session(stand: Stand) -> None:
    async with connected(stand) as client:
        with pytest.raises(REFUSALS):
            await client.activate_session(username=USER, password="guess")
        with pytest.raises(REFUSALS):
            await (await node(client, bench.POWER)).read_value()
