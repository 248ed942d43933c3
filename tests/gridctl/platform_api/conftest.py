"""The house that every test here talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gridctl.platform_api.house import House, running_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with running_house() as running:
        yield running
