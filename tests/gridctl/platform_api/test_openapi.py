"""The document says what the routes do, no more and no less; it reads well by itself."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from gridctl.platform_api.openapi import document, page
from gridctl.platform_api.operations import OPERATIONS
from gridctl.platform_api.problem import CODES
from tests.docs.http_page import _found as console_routes
from tests.gridctl.platform_api.house import BASE, House


def mounted(app: web.Application) -> set[tuple[str, str]]:
    return {
        (route.method, resource.canonical.removeprefix(BASE))
        for sub in app.router.resources()
        if sub.canonical == BASE
        for route in sub
        if (resource := route.resource) is not None and route.method != "HEAD"
    }


async def test_the_document_matches_the_routes(house: House) -> None:
    served = await house.told("GET", "/openapi.json", who=None)
    told = {
        (method.upper(), path) for path, methods in served["paths"].items() for method in methods
    }
    assert told == mounted(house.client.app)
    assert served == document()


def test_every_reference_is_there_and_every_id_is_its_own() -> None:
    found = document()
    names = set(found["components"]["schemas"])
    refs = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert refs <= names
    ids = [o["operationId"] for methods in found["paths"].values() for o in methods.values()]
    assert len(ids) == len(set(ids)) == len(OPERATIONS)


def test_the_console_serves_nothing_at_the_same_address() -> None:
    console = {(r.method, re.sub(r"\{.*?\}", "{}", r.path)) for r in console_routes()}
    ours = {(o.method, BASE + re.sub(r"\{.*?\}", "{}", o.path)) for o in OPERATIONS}
    assert not console & ours


def test_every_problem_that_is_raised_is_documented() -> None:
    told: dict[str, Any] = document()["components"]["schemas"]["Problem"]
    assert all(code in told["properties"]["type"]["description"] for code in CODES)
    assert {code for o in OPERATIONS for code in o.codes} <= CODES.keys()


async def test_the_page_needs_nothing_from_elsewhere(house: House) -> None:
    answer = await house.call("GET", "/docs", who=None)
    text = await answer.text()
    assert text == page(document())
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert "POST /dispatch-requests" in text
