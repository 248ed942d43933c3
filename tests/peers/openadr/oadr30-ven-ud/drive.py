"""oadr30-ven-ud 1.2 through what it can: it has no subscriptions and deletes nothing.

argv: base URL, programme and event that business logic made before.
"""

from __future__ import annotations

import json
import sys

from oadr30.vtn import VTNOps  # type: ignore[import-not-found]  # installed beside the environment

base, program_id, event_id = sys.argv[1:4]
vtn = VTNOps(base_url=base, client_id="ven_client", client_secret="999")
ven = vtn.create_ven("eisy")
programs = vtn.get_programs()
events = vtn.get_events(program_id)
ven["resources"] = [{"resourceName": "eisy.system"}]
vtn.send_report(event_id, program_id, ven, {"payloadType": "OPERATING_STATE"})
told = {
    "ven": ven["venName"],
    "again": vtn.get_ven(ven["id"])["id"] == ven["id"],
    "programs": [one["programName"] for one in programs],
    "seen": [one["eventName"] for one in events],
}
# its log goes to stdout, too
sys.stdout.write("\n" + json.dumps(told))
