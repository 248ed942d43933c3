"""Our own OpenAPI 3.1 document, made from the operations; and the same as a page for people."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from pydantic.json_schema import models_json_schema

from gridctl.platform_api import wire
from gridctl.platform_api.operations import OPERATIONS, PARAMETERS, Operation
from gridctl.platform_api.problem import CODES

VERSION = "1.0.0"
EVERYWHERE = ("bad_request", "too_many", "unavailable")
WITH_CALLER = ("not_signed_in", "forbidden")
_REFS = "#/components/schemas/{model}"
_HEADERS = {
    "Idempotency-Key": ("the same when you try again; kept for 72 hours", True),
    "If-Match": ("the ETag that you have read", True),
    "Gridctl-Reason": ("why, for the versions and the audit", False),
}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 128}
_OPTIONAL_MATCH = frozenset({"extend", "cancel"})


def document() -> dict[str, Any]:
    """The document, as it is served at /api/v1/openapi.json."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gridctl platform API",
            "version": VERSION,
            "description": "Customers, sites, resources, enrolments; dispatch requests and what "
            "came of them. Nothing here moves power by itself: a dispatch becomes a plan, which is "
            "verified by power flow and approved by people. Every refusal is a problem+json with a "
            "stable type.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": name} for name in dict.fromkeys(o.room for o in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "of POST /openadr3/3.1.0/auth/token, client credentials",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-gridctl",
                    "description": "of the console; writes carry X-CSRF-Token",
                },
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.room],
        "summary": one.summary,
        "parameters": [*_parameters(one)],
        "responses": _responses(one),
    }
    if one.need.value == "open":
        found["security"] = []
    if one.body is not None:
        ref = _REFS.format(model=one.body.__name__)
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": ref}}},
        }
    return found


def _parameters(one: Operation) -> Iterable[dict[str, Any]]:
    for part in one.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            schema: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$"}
            if name == "what":
                schema = {"enum": ["plans", "alarms", "dispatches", "commands"]}
            yield {"name": name, "in": "path", "required": True, "schema": schema}
    for name in one.query:
        known = dict(PARAMETERS.get(name, {"schema": _TEXT}))
        if name == "limit" and not one.is_csv:
            known = {"schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}}
        yield {"name": name, "in": "query", **known}
    for name in one.headers:
        told, required = _HEADERS[name]
        yield {
            "name": name,
            "in": "header",
            "required": required and one.act not in _OPTIONAL_MATCH,
            "description": told,
            "schema": {"type": "string"},
        }


def _responses(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {str(one.status): _success(one)}
    if one.method == "GET" and not one.is_list and one.answer:
        found["304"] = {"description": "You know it already (If-None-Match)"}
    codes = [*EVERYWHERE, *one.codes]
    if one.need.value != "open":
        codes += WITH_CALLER
    if "{" in one.path:
        codes.append("not_found")
    if one.body is not None:
        codes += ["bad_body", "too_large", "too_slow"]
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(CODES[code][0].value), []).append(code)
    for status, told in sorted(by_status.items()):
        found[status] = {
            "description": "; ".join(f"{code}: {CODES[code][1]}" for code in told),
            "content": {
                "application/problem+json": {"schema": {"$ref": _REFS.format(model="Problem")}}
            },
        }
    return found


def _success(one: Operation) -> dict[str, Any]:
    if one.act == "page":
        return {"description": "HTML", "content": {"text/html": {"schema": {"type": "string"}}}}
    if not one.answer:
        return {"description": "Done"}
    name = "Page" if one.is_list else "Object"
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": _REFS.format(model=name)}}}
    if one.is_csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    return {"description": "Done", "content": content}


def _schemas() -> dict[str, Any]:
    models = {o.body for o in OPERATIONS if o.body is not None} | {wire.Reading}
    _, found = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template=_REFS,
    )
    return {
        **found["$defs"],
        "Object": {"type": "object", "additionalProperties": True},
        "Page": {
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": {"type": "array", "items": {"$ref": _REFS.format(model="Object")}},
                "next": {"type": ["string", "null"]},
            },
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {
                    "type": "string",
                    "pattern": "^urn:gridctl:problem:[a-z_]+$",
                    "description": "Of this API: " + ", ".join(CODES),
                },
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "code": {"type": "string"},
                "detail": {"type": "string"},
                "instance": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {"type": "string"},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        },
    }


def page(found: dict[str, Any]) -> str:
    """The document for people: no script, no style from elsewhere, one file."""
    parts: list[str] = []
    for path, methods in found["paths"].items():
        for method, one in methods.items():
            parts.append(_section(path, method, one))
    schemas = "".join(
        _schema(name, one)
        for name, one in sorted(found["components"]["schemas"].items())
        if "properties" in one
    )
    contents = "".join(
        f'<li><a href="#{escape(one["operationId"])}"><code>{method.upper()} {escape(path)}</code>'
        f"</a> {escape(one['summary'])}</li>"
        for path, methods in found["paths"].items()
        for method, one in methods.items()
    )
    info = found["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>gridctl platform API</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(info['title'])} "
        f"{escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"<h2>Operations</h2><ul>{contents}</ul>{''.join(parts)}"
        f"<h2>Bodies</h2>{schemas}</main></body></html>"
    )


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}"
    "main{max-width:60rem;margin:0 auto;padding:1rem}h3{margin-top:2.5rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid #ddd}code{font-size:.92em}"
    "@media (prefers-color-scheme:dark){body{color:#e6e6e6;background:#151515}a{color:#8ab4f8}"
    "td,th{border-color:#333}}"
)


def _section(path: str, method: str, one: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}"
        f"{', required' if p.get('required') else ''}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in one["parameters"]
    )
    answers = "".join(
        f"<tr><td>{status}</td><td colspan=2>{escape(told['description'])}</td></tr>"
        for status, told in one["responses"].items()
    )
    body = ""
    if "requestBody" in one:
        content = one["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        body = f'<p>Body: <a href="#{name}">{name}</a></p>'
    return (
        f'<h3 id="{escape(one["operationId"])}"><code>{method.upper()} {escape(path)}</code></h3>'
        f"<p>{escape(one['summary'])}</p>{body}<table>{rows}{answers}</table>"
    )


def _schema(name: str, one: dict[str, Any]) -> str:
    needed = set(one.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' (required)' if field in needed else ''}</td>"
        f"<td>{escape(type_of(told))}</td><td>{escape(told.get('description', ''))}</td></tr>"
        for field, told in one["properties"].items()
    )
    return (
        f'<h3 id="{name}">{name}</h3><p>{escape(one.get("description", ""))}</p>'
        f"<table>{rows}</table>"
    )


def type_of(told: dict[str, Any]) -> str:
    """The type of a field of a schema, in a word or two."""
    if "$ref" in told:
        return str(told["$ref"].rpartition("/")[2])
    if "anyOf" in told:
        return " or ".join(type_of(one) for one in told["anyOf"])
    if "enum" in told:
        return ", ".join(map(str, told["enum"]))
    if told.get("type") == "array":
        return f"list of {type_of(told.get('items', {}))}"
    return str(told.get("format") or told.get("type") or told.get("const") or "")
