"""Settlement over HTTP: a run from readings, the same again, the next version, an edited record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gridctl.store import schema
from tests.gridctl.web.conftest import Console

QUERY = {
    "resource": "load",
    "event": "2026-07-14T15:00/19:00",
    "method": "caiso-10-in-10",
    "committed_kw": "20",
}


def readings(*, cut_kw: float = 25.0) -> str:
    """70 days of the same 100 kW by day and 50 by night, less a little; the event at their end."""
    first = datetime(2026, 5, 6, tzinfo=UTC)
    rows = ["timestamp,load"]
    for hour in range(70 * 24):
        at = first + timedelta(hours=hour)
        kw = (100.0 if 8 <= at.hour < 20 else 50.0) + (hour * 7 % 11) / 10.0
        if at.date().isoformat() == "2026-07-14" and 15 <= at.hour < 19:
            kw -= cut_kw
        rows.append(f"{at.isoformat()},{kw}")
    return "\n".join(rows) + "\n"


async def test_a_run_is_kept_made_again_and_never_changed(console: Console) -> None:
    headers = {"X-CSRF-Token": await console.sign_in("op")}
    post = console.client.post
    methods = await (await console.client.get("/api/v1/settlements/methods")).json()
    ids = [one["id"] for one in methods["methods"]]
    assert "caiso-10-in-10" in ids, ids
    made = await post("/api/v1/settlements", params=QUERY, data=readings(), headers=headers)
    assert made.status == 201, await made.text()
    run = await made.json()
    assert run["version"] == 1
    assert run["run"]["reduction_kwh"] == pytest.approx(100.0, abs=3.0)
    again = await post("/api/v1/settlements", params=QUERY, data=readings(), headers=headers)
    assert (again.status, await again.json()) == (200, run)
    other = await post(
        "/api/v1/settlements", params=QUERY, data=readings(cut_kw=10.0), headers=headers
    )
    assert (await other.json())["version"] == 2
    listed = await (await console.client.get("/api/v1/settlements")).json()
    assert [one["version"] for one in listed["runs"]] == [2, 1]
    place = f"/api/v1/settlements/{run['id']}"
    assert await (await console.client.get(place)).json() == run
    html = await console.client.get(f"{place}/statement.html")
    assert "kWh" in await html.text()
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]
    pdf = await console.client.get(f"{place}/statement.pdf")
    assert (await pdf.read()).startswith(b"%PDF-1")
    table = await console.client.get(f"{place}/intervals.csv")
    assert len((await table.text()).splitlines()) == 5
    # Somebody edits the database: the run does not come out as a statement any more.
    async with console.store.transaction() as unit:
        runs = schema.settlement_run
        row = update(runs).where(runs.c.id == run["id"])
        await unit.connection.execute(row.values(inputs=runs.c.inputs + "2026-07-15T00:00Z,1,\n"))
    edited = await console.client.get(f"{place}/statement.html")
    assert edited.status == 409
    assert "edited" in await edited.text()


@pytest.mark.parametrize(
    ("change", "body", "words"),
    [
        ({"method": "of my own"}, None, "of my own"),
        ({"event": "yesterday"}, None, "yesterday"),
        ({"timezone": "Mars/North"}, None, "Mars/North"),
        ({"committed_kw": "none"}, None, "committed_kw"),
        ({"colour": "red"}, None, "colour"),
        ({"resource": "other"}, None, "other"),
        ({}, "timestamp,load\nyesterday,1\n", "yesterday"),
    ],
)
async def test_what_cannot_be_settled_is_told(
    console: Console, change: dict[str, str], body: str | None, words: str
) -> None:
    headers = {"X-CSRF-Token": await console.sign_in("op")}
    answer = await console.client.post(
        "/api/v1/settlements",
        params={**QUERY, **change},
        data=readings() if body is None else body,
        headers=headers,
    )
    assert answer.status in (400, 409), await answer.text()
    assert words in await answer.text()


async def test_a_point_without_history_is_told(console: Console) -> None:
    headers = {"X-CSRF-Token": await console.sign_in("op")}
    answer = await console.client.post("/api/v1/settlements", params=QUERY, headers=headers)
    assert answer.status == 409
    assert "load has no history" in await answer.text()
