"""The VTN that every test here talks to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from tests.gridctl.openadr.vtn import BASE, Vtn, program, running_vtn


@pytest.fixture
async def vtn() -> AsyncIterator[Vtn]:
    async with running_vtn() as running:
        yield running


@pytest.fixture
def vtn_routes(vtn: Vtn) -> set[tuple[str, str]]:
    """Method and path of every route there is."""
    (mounted,) = vtn.client.app.router.resources()
    return {
        (route.method, re.sub(r"\{.*\}", "{}", route.resource.canonical.removeprefix(BASE)))
        for route in mounted
        if route.resource is not None
    }


@pytest.fixture
async def program_id(vtn: Vtn) -> str:
    """A program that is there."""
    return str((await vtn.made("/programs", program()))["id"])
