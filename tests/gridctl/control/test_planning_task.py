"""The question to the mind, for whoever splits a limit over several feeders: a whole office."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import UnavailableError
from gridctl.model.program import DispatchRequest, RequestState
from tests.gridctl.control.test_journey import propose, ready
from tests.gridctl.small_site import ANNE, SHED_KW, site


async def test_the_question_is_there_while_a_plan_waits_and_not_without_the_field(
    tmp_path: Path,
) -> None:
    async with site(tmp_path, rate=20) as running:
        running.start_office()
        desk = running.desk_office.desk
        with pytest.raises(UnavailableError):
            await desk.planning_task()
    second = tmp_path / "second"
    second.mkdir()
    async with site(second, rate=20) as running:
        await ready(running)
        desk = running.desk_office.desk
        before = await desk.planning_task()
        assert {r.mrid for r in before.resources} >= set(SHED_KW)
        assert before.requests == ()
        assert before.network.head_kw > 0.0
        await propose(running)
        start_s = before.horizon.start_s
        await desk.submit_request(
            DispatchRequest(
                mrid="DSP-1", event_id="DSP-1", name="share of SUB", source="SUB", start_s=start_s,
                end_s=start_s + 7200.0, target_kw=20.0, priority=1, received_s=before.now_s,
                state=RequestState.RECEIVED,
            ),
            person=ANNE,
        )  # fmt: skip
        after = await desk.planning_task()
        assert [r.mrid for r in after.requests] == ["DSP-1"]
        assert after.feeder == before.feeder
        assert (await running.store.requests())[0].state is RequestState.RECEIVED
