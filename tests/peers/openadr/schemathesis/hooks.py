"""Where our VTN and the published contract differ on purpose: the contract as we read it.

Loaded by schemathesis (SCHEMATHESIS_HOOKS), in its own environment. Each repair says why; whatever
else differs is a failure. What we answer is judged by the contract's own schemas; only what may be
sent to us is loosened, on copies of them.
"""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis  # type: ignore[import-not-found]  # installed beside the environment

ROOMS = {
    "programs": "program",
    "events": "event",
    "reports": "report",
    "subscriptions": "subscription",
    "vens": "ven",
    "resources": "resource",
}
OURS, SENT = "#/components/schemas/", "#/components/schemas/sent-"


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Repair in place; a repair that finds nothing to repair is an error."""
    paths, schemas = raw_schema["paths"], raw_schema["components"]["schemas"]
    copies = json.loads(json.dumps(schemas).replace(OURS, SENT))
    schemas |= {f"sent-{name}": copy for name, copy in copies.items()}
    bodies = [
        operation["requestBody"]
        for path in paths.values()
        for operation in path.values()
        if isinstance(operation, dict) and "requestBody" in operation
    ]
    for body in bodies:
        # The contract forgets that a body is not optional, and says what has to be in it.
        body["required"] = True
        body |= {"content": json.loads(json.dumps(body["content"]).replace(OURS, SENT))}
    _problems(paths)
    _loosened(copies)
    _linked(paths)
    _seeded(copies)


def _problems(paths: dict[str, Any]) -> None:
    """Every error is a problem (RFC 9457), as the contract has it for all other operations."""
    answers = paths["/programs/{programID}"]["put"]["responses"]
    for status in ("400", "403", "404", "409", "500"):
        content = answers[status]["content"]
        assert set(content) == {"application/json"}
        content["application/problem+json"] = content["application/json"]


def _loosened(sent: dict[str, Any]) -> None:
    for name in ("VenVenRequest", "BlVenRequest", "VenResourceRequest", "BlResourceRequest"):
        # oadr30-ven-ud leaves it out; the token says the same
        sent[name]["required"].remove("objectType")
    # 3.1.1 drops `venID` from what a VEN says of its resource, and `clientID` from what business
    # logic says: both are known. Both shapes are served.
    sent["VenResourceRequest"]["required"].remove("venID")
    sent["BlResourceRequest"]["required"].remove("clientID")
    for schema in sent.values():
        _nullable(schema)


def _nullable(schema: Any) -> None:
    """openadr3-client sends every optional field that it does not know as null."""
    if isinstance(schema, list):
        for one in schema:
            _nullable(one)
    if not isinstance(schema, dict):
        return
    for one in list(schema.values()):
        _nullable(one)
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, one in properties.items():
            if name not in schema.get("required", ()) and name != "objectType":
                properties[name] = {"nullable": True, "allOf": [one]}


def _linked(paths: dict[str, Any]) -> None:
    """What was created can be read, replaced and deleted: the contract has no links."""
    for room, one in ROOMS.items():
        known = paths[f"/{room}/{{{one}ID}}"]
        paths[f"/{room}"]["post"]["responses"]["201"]["links"] = {
            method: {
                "operationId": known[method]["operationId"],
                "parameters": {f"path.{one}ID": "$response.body#/id"},
            }
            for method in ("get", "put", "delete")
        }


def _seeded(sent: dict[str, Any]) -> None:
    """References to something that is there, every other time: else all of them are 409."""
    for schema, field, variable in (
        ("eventRequest", "programID", "SEED_PROGRAM"),
        ("reportRequest", "eventID", "SEED_EVENT"),
        ("VenResourceRequest", "venID", "SEED_VEN"),
        ("BlResourceRequest", "venID", "SEED_VEN"),
    ):
        properties = sent[schema]["properties"]
        seeded = {"type": "string", "enum": [os.environ[variable]]}
        properties[field] = {"anyOf": [seeded, properties[field]]}
