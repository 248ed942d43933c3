"""A client on o6 (open62541 in C), at the simulator's server.

    PYTHONPATH=<where o6 is> python client.py '{"url": "...", "folder": "..."}'

Prints one line of JSON: what it has read, and what its commands were answered.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import o6  # type: ignore[import-not-found]  # installed beside the environment


def main(asked: dict[str, Any]) -> None:
    folder = Path(asked["folder"])
    client = o6.Client(
        asked["url"],
        certificate=folder / "field.der",
        privateKey=folder / "field.pem",
        trustList=[folder / "server.der"],
        securityMode=3,
        securityPolicy=asked["policy"],
        applicationUri="urn:gridctl:field",
        username=asked["user"],
        password=asked["password"],
        # The server asks for no second encryption of the password: the channel has one.
        allowNonePolicyPassword=True,
    )
    client.connect(createDefaultSubscription=False)
    spaces = list(client.read("i=2255"))
    index = spaces.index(asked["namespace"])
    told: dict[str, Any] = {
        "values": {name: float(client.read(f"ns={index};s={name}")) for name in asked["read"]}
    }
    now = dt.datetime.now(dt.UTC)
    later, earlier = now + dt.timedelta(minutes=1), now - dt.timedelta(minutes=1)
    owner, method = asked["called"]
    told["called"] = [
        status(
            client.call(
                f"ns={index};s=DER/{owner}",
                f"ns={index};s={method}",
                [value, command, o6.DateTime(until)],
            )[0]
        )
        for value, command, until in (
            (12.5, "b-1", later),
            (12.5, "b-1", later),
            (12.5, "b-2", earlier),
        )
    ]
    where = f"ns={index};s={asked['written']}"
    told["written"] = [status(client.write(where, value)) for value in (20.0, 999.0)]
    client.disconnect()
    sys.stdout.write(json.dumps(told) + "\n")


def status(code: Any) -> int:
    """The number of a status code."""
    return int(getattr(code, "value", code))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
