"""toadr3 0.29 speaks 3.0.1: what it can say to a 3.1.0 VTN, and where the versions part.

argv: base URL and the programme of an event that business logic made before.
"""

from __future__ import annotations

import asyncio
import json
import sys

import toadr3  # type: ignore[import-not-found]  # installed beside the environment
from pydantic import ValidationError
from toadr3.models import Report  # type: ignore[import-not-found]

base, program_id = sys.argv[1:3]


async def main() -> dict[str, object]:
    oauth = toadr3.OAuthScopeConfig(
        base + "/auth/token",
        "client_credentials",
        "read_all",
        client_id="ven_client",
        client_secret="999",
    )
    async with toadr3.ToadrClient(base, oauth) as client:
        programs = [one.program_name for one in await client.get_programs()]
        (event,) = await client.get_events(program_id=program_id)
        interval = {"id": 0, "payloads": [{"type": "READING", "values": [12.5]}]}
        report = Report.model_validate(
            {
                "programID": program_id,
                "eventID": event.id,
                "clientName": "toadr3",
                "resources": [{"resourceName": "meter", "intervals": [interval]}],
            }
        )
        try:
            await client.post_report(report)
            missing: list[str] = []
        except ValidationError as error:
            # 3.1 reports name no programme: it was taken, and its echo is not understood
            missing = [".".join(map(str, fault["loc"])) for fault in error.errors()]
        return {"programs": programs, "seen": [event.event_name], "missing": missing}


sys.stdout.write(json.dumps(asyncio.run(main())))
