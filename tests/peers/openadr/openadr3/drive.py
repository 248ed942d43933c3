"""openadr3 0.5 through a life: argv is the base URL and the callback; one JSON object on stdout."""

from __future__ import annotations

import json
import sys

from openadr3 import (  # type: ignore[import-not-found]  # installed beside the environment
    create_bl_client,
    create_ven_client,
    fetch_token,
)

base, callback = sys.argv[1:3]
bl = create_bl_client(base, fetch_token(base, "bl_client", "1001"))
ven = create_ven_client(base, fetch_token(base, "ven_client", "999"))
registered = ven.create_ven({"objectType": "VEN_VEN_REQUEST", "venName": "openadr3"}).json()
program = bl.create_program({"programName": "openadr3"}).json()
subscription = ven.create_subscription(
    {
        "clientName": "openadr3",
        "programID": program["id"],
        "objectOperations": [
            {"objects": ["EVENT"], "operations": ["CREATE", "DELETE"], "callbackUrl": callback}
        ],
    }
).json()
event = bl.create_event(
    {
        "programID": program["id"],
        "eventName": "from openadr3",
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT1H"},
        "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
    }
).json()
seen = [one.event_name for one in ven.events(programID=program["id"])]
report = ven.create_report(
    {
        "eventID": event["id"],
        "clientName": "openadr3",
        "resources": [
            {
                "resourceName": "meter",
                "intervals": [{"id": 0, "payloads": [{"type": "READING", "values": [12.5]}]}],
            }
        ],
    }
).json()
read = [one.id for one in bl.reports(eventID=event["id"])]
deleted = [
    ven.delete_report(report["id"]).status_code,
    bl.delete_event(event["id"]).status_code,
    ven.delete_subscription(subscription["id"]).status_code,
    bl.delete_program(program["id"]).status_code,
    ven.delete_ven(registered["id"]).status_code,
]
told = {"seen": seen, "reported": read == [report["id"]], "deleted": deleted, "event": event["id"]}
sys.stdout.write(json.dumps(told))
