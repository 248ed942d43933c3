"""python-oa3-client 0.5 through a life, with its own webhook receiver: it echoes no challenge."""

from __future__ import annotations

import json
import sys

from openadr3_client import (  # type: ignore[import-not-found]  # installed beside the environment
    BlClient,
    VenClient,
)

base = sys.argv[1]
bl = BlClient(url=base, client_id="bl_client", client_secret="1001").start()
ven = VenClient(url=base, client_id="ven_client", client_secret="999").start()
ven.register("oa3")
program = bl.create_program({"programName": "oa3"}).json()
channel = ven.add_webhook(host="127.0.0.1", bearer_token="a-token")
channel.start()
ven.subscribe(["oa3"], ["EVENT"], ["CREATE", "DELETE"], channel)
event = bl.create_event(
    {
        "programID": program["id"],
        "eventName": "from oa3",
        "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
    }
).json()
seen = [one.event_name for one in ven.poll_events("oa3")]
report = ven.create_report(
    {
        "eventID": event["id"],
        "clientName": "oa3",
        "resources": [
            {
                "resourceName": "meter",
                "intervals": [{"id": 0, "payloads": [{"type": "READING", "values": [12.5]}]}],
            }
        ],
    }
).json()
read = [one.id for one in bl.reports(eventID=event["id"])]
subscription = ven.subscriptions()[0]
# before the subscription goes: what still waits goes with it
deleted = [ven.delete_report(report["id"]).status_code, bl.delete_event(event["id"]).status_code]
heard = [one.payload.operation for one in channel.await_messages(2, timeout=15.0)]
deleted += [
    ven.delete_subscription(subscription.id).status_code,
    bl.delete_program(program["id"]).status_code,
    ven.delete_ven(ven.ven_id).status_code,
]
told = {
    "seen": seen,
    "reported": read == [report["id"]],
    "deleted": deleted,
    "heard": [str(getattr(one, "value", one)) for one in heard],
    "mqtt": ven.vtn_supports_mqtt(),
}
sys.stdout.write(json.dumps(told))
ven.stop()
