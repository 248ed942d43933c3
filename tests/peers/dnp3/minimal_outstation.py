"""dnp3-outstation as a process: `python -m … PORT`; one JSON line on stdin, one back.

A process, because its `shutdown` needs Python 3.13 whatever its metadata says.
A line in: {"analog": value} moves analog input 0. A line out: [], it takes no command.
"""

from __future__ import annotations

import asyncio
import json
import sys

from dnp3_outstation import AsyncOutstation

from tests.peers.dnp3.rows import LINK_ADDRESS, MASTER_ADDRESS


async def main(port: int) -> None:
    outstation = AsyncOutstation(
        host="127.0.0.1", port=port, master_addr=MASTER_ADDRESS, outstation_addr=LINK_ADDRESS
    )
    for index, value in {0: 812.0, 7: 2.0, 8: 0.0, 9: 7.0}.items():
        outstation.set_analog(idx=index, value=value)
    await outstation.start()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while True:
        sys.stdout.write("[]\n")
        sys.stdout.flush()
        line = await commands.readline()
        if not line:
            return
        told = json.loads(line)
        if "analog" in told:
            outstation.set_analog(idx=0, value=told["analog"])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
