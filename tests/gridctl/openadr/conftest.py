"""The VTN that every test here talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gridctl.openadr.vtn import Vtn, program, running_vtn


@pytest.fixture
async def vtn() -> AsyncIterator[Vtn]:
    async with running_vtn() as running:
        yield running


@pytest.fixture
async def program_id(vtn: Vtn) -> str:
    """A program that is there."""
    return str((await vtn.made("/programs", program()))["id"])
