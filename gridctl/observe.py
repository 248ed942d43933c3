"""Logs on stderr: one JSON object a line for machines, or plain lines for a person."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, and the trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


QUIET = ("aiohttp.access", "apscheduler", "alembic", "py1815")
"""Libraries that tell every packet; their warnings still come through."""
SILENT = ("asyncua",)
"""Logs a trace at each link loss and calls it fatal when a server tells no stranger its endpoints,
which our own lines already explain, and at its lowest level whole requests, passwords included."""


FORMAT = "GRIDCTL_LOG"
"""Environment variable, "json" or "text": how this process and the children it starts write."""


def set_up_logging(*, level: str, as_json: bool | None = None) -> None:
    """Send all logs to stderr. `level` as logging names it. `as_json` None: as whoever started
    this process does, JSON when nobody said."""
    if as_json is None:
        as_json = os.environ.get(FORMAT) != "text"
    os.environ[FORMAT] = "json" if as_json else "text"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if as_json
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
