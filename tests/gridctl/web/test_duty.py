"""The duty routes over real HTTP, in front of a real store."""

from __future__ import annotations

from tests.gridctl.web.conftest import PASSWORD, Console
from tests.gridctl.web.desk import BATTERY
from tests.gridctl.web.test_contract import check

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
    check("AreaMode", one)
    for body, code in (
        ({"area": AREA, "mode": "auto", "reason": "why not"}, 400),
        ({"area": AREA, "mode": "off"}, 400),
        ({"area": "A9", "mode": "off", "reason": "why not"}, 409),
        ({"area": AREA, "mode": "advisory", "reason": "enough seen"}, 409),
        ({"area": AREA, "mode": "closed loop", "reason": "faster"}, 409),
    ):
        status, _ = await post(console, csrf, "/modes", dict(body))
        assert status == code, body


async def test_every_field_that_is_wrong_is_told_and_nothing_is_half_done(console: Console) -> None:
    await console.store.users.add_user("eng", "Engineer", "ENGINEER", PASSWORD)
    csrf = await console.sign_in("eng")
    wrong: dict[str, object] = {
        "area": AREA, "max_kw": float("inf"), "ramp_kw": 10**400, "devices": ["LG1", "x\0y"],
        "from_hour": 2.5, "to_hour": True, "causes": "head limit", "life_h": float("nan"),
        "reason": "\ud800", "extra": None,
    }  # fmt: skip
    status, told = await post(console, csrf, "/modes/closed-loop", wrong)
    assert status == 400
    reasons = told["reasons"]
    assert isinstance(reasons, list)
    for field in sorted(set(wrong) - {"area"}):
        assert [r for r in reasons if f"'{field}'" in r], f"{field} in {reasons}"
    envelope: dict[str, object] = {
        "area": AREA, "max_kw": 0, "ramp_kw": -1, "devices": [], "from_hour": 20, "to_hour": 3,
        "causes": ["weather", "boredom"], "life_h": 30, "reason": "why not",
    }  # fmt: skip
    status, told = await post(console, csrf, "/modes/closed-loop", envelope)
    assert (status, len(told["reasons"])) == (400, 7), told  # type: ignore[arg-type]
    status, told = await post(console, csrf, "/modes", {"area": AREA, "mode": "auto", "why": 1})
    assert (status, len(told["reasons"])) == (400, 3), told  # type: ignore[arg-type]
    assert (await (await console.client.get("/api/v1/modes")).json())["areas"][0]["request"] is None


async def test_sg31_an_engineer_may_ask_for_a_mode_and_not_approve_it(console: Console) -> None:
    await console.store.users.add_user("eng", "Engineer", "ENGINEER", PASSWORD)
    csrf = await console.sign_in("eng")
    body: dict[str, object] = {"area": AREA, "mode": "off", "reason": "model changes"}
    assert (await post(console, csrf, "/modes", body))[0] == 200
    assert (await post(console, csrf, "/modes/approve", {"area": AREA}))[0] == 403


async def test_handover_and_steps_over_http(console: Console) -> None:
    await console.store.users.add_user("sup", "Supervisor", "SUPERVISOR", PASSWORD)
    csrf = await console.sign_in("op")
    status, step = await post(
        console, csrf, "/manual-steps", {"to": "crew", "instruction": "open switch 7"}
    )
    assert (status, step["closed"]) == (201, "")
    path = f"/manual-steps/{step['number']}"
    assert (await post(console, csrf, f"{path}/confirm", {"words": "it is open"}))[0] == 409
    assert (await post(console, csrf, f"{path}/repeat", {"words": "open seven"}))[0] == 200
    status, step = await post(console, csrf, f"{path}/confirm", {"words": "it is open"})
    assert (status, step["closed"]) == (200, "done")
    assert (await post(console, csrf, "/manual-steps/x/repeat", {"words": "a word"}))[0] == 400
    status, made = await post(console, csrf, "/handovers", {"notes": "all quiet"})
    assert (status, made["open_items"]) == (201, ["plan P-1 is partial"])
    assert "session" not in made
    csrf = await console.sign_in("sup")
    status, done = await post(
        console, csrf, f"/handovers/{made['number']}/take", {"remarks": "seen"}
    )
    assert (status, done["taken_by"]) == (200, "sup")
    listed = await (await console.client.get("/api/v1/handovers")).json()
    assert listed["handovers"][0] == done
    check("Handover", done)
    check("ManualStep", step)


async def test_alarm_figures_over_http(console: Console) -> None:
    await console.sign_in("op")
    found = await (await console.client.get("/api/v1/alarms/figures?hours=24")).json()
    assert (found["raised"], found["judged"]) == (0, [])
    check("AlarmFigures", found)
    assert (await console.client.get("/api/v1/alarms/figures?hours=x")).status == 400


async def test_sg28_shelving_over_http_and_the_history_as_csv(console: Console) -> None:
    csrf = await console.sign_in("op")
    headers = {"X-CSRF-Token": csrf}
    body = {"key": "head", "hours": 1.5, "reason": "feeder works"}
    done = await console.client.post("/api/v1/alarms/shelve", json=body, headers=headers)
    assert done.status == 200
    assert console.desk.acts == [("shelve", "head", "op")]
    bad = await console.client.post(
        "/api/v1/alarms/shelve", json={**body, "hours": True}, headers=headers
    )
    assert (bad.status, console.desk.acts) == (400, [("shelve", "head", "op")])
    told = await (await console.client.get("/api/v1/alarms")).json()
    assert told == {"alarms": [], "flood": None}
    history = await console.client.get("/api/v1/alarms/history.csv?days=31")
    assert history.content_type == "text/csv"
    assert (await history.text()).splitlines() == ["at,alarm,priority,what,by"]
