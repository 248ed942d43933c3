"""The duty routes over real HTTP, in front of a real store."""

from __future__ import annotations

from tests.gridctl.web.conftest import PASSWORD, Console
from tests.gridctl.web.desk import BATTERY

AREA = BATTERY.area


async def post(
    console: Console, csrf: str, path: str, body: dict[str, object]
) -> tuple[int, dict[str, object]]:
    answer = await console.client.post(f"/api/v1{path}", json=body, headers={"X-CSRF-Token": csrf})
    return answer.status, await answer.json()


async def test_modes_go_down_at_once_and_bad_input_is_told(console: Console) -> None:
    csrf = await console.sign_in("op")
    status, area = await post(
        console, csrf, "/modes", {"area": AREA, "mode": "shadow", "reason": "odd readings"}
    )
    assert (status, area["mode"], area["by"]) == (200, "shadow", "op")
    listed = await (await console.client.get("/api/v1/modes")).json()
    (one,) = listed["areas"]
    assert one["mode"] == "shadow"
    assert "20 are needed" in one["lacking"][0]
    for body, code in (
        ({"area": AREA, "mode": "auto", "reason": "why not"}, 400),
        ({"area": AREA, "mode": "off"}, 400),
        ({"area": "A9", "mode": "off", "reason": "why not"}, 409),
        ({"area": AREA, "mode": "advisory", "reason": "enough seen"}, 409),
        ({"area": AREA, "mode": "closed loop", "reason": "faster"}, 409),
    ):
        status, _ = await post(console, csrf, "/modes", dict(body))
        assert status == code, body


async def test_sg31_an_engineer_may_ask_for_a_mode_and_not_approve_it(console: Console) -> None:
    await console.store.users.add_user("eng", "Engineer", "ENGINEER", PASSWORD)
    csrf = await console.sign_in("eng")
    body: dict[str, object] = {"area": AREA, "mode": "off", "reason": "model changes"}
    assert (await post(console, csrf, "/modes", body))[0] == 200
    assert (await post(console, csrf, "/modes/approve", {"area": AREA}))[0] == 403
