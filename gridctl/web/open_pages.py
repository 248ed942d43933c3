"""What is served to everybody, without a session: the console's files and the service's health."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from aiohttp import web

from gridctl.control.ports import Desk
from gridctl.web.problem import problem

STATIC_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".map": "application/json",
    ".png": "image/png",
}


def static_folder() -> Path:
    """Where the console's bundle lies (built by hatch_build.py)."""
    return Path(str(files("gridctl.web"))) / "static"


async def index(request: web.Request) -> web.StreamResponse:
    """The console."""
    page = static_folder() / "index.html"
    if not page.is_file():
        return web.Response(
            text=(
                "<!doctype html><title>gridctl</title><h1>gridctl</h1><p>The console has not been "
                "built: run <code>make ui</code>. Until then: <a href=/plain>plain page</a>.</p>"
            ),
            content_type="text/html",
            status=503,
        )
    return web.Response(body=page.read_bytes(), content_type="text/html", charset="utf-8")


async def static(request: web.Request) -> web.StreamResponse:
    """A file of the console's bundle."""
    name = request.match_info["name"]
    path = static_folder() / name
    kind = STATIC_TYPES.get(path.suffix)
    if kind is None or name.startswith(".") or not path.is_file():
        return problem(404, "not_found", "No such file")
    return web.Response(
        body=path.read_bytes(), content_type=kind, headers={"Cache-Control": "no-cache"}
    )


async def health(request: web.Request) -> web.StreamResponse:
    """The process lives."""
    return web.json_response({"status": "ok"})


class Ready:
    """Whether the service can do its work; says what is missing, to everybody, without names."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """200 when it can, else 503."""
        picture = self._desk.picture()
        ready = picture.field_connected and bool(picture.snapshot.values)
        return web.json_response(
            {
                "ready": ready,
                "field_connected": picture.field_connected,
                "points": len(picture.snapshot.values),
            },
            status=200 if ready else 503,
        )
