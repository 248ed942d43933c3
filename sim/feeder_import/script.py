"""An OpenDSS script fed to the engine line by line.

The engine could read the file itself, but then it would not tell in which line it stumbles, would
solve, plot, export and open editors as the script likes, and would leave the process in another
folder. So the lines are read here: those that describe the circuit are passed on, those that
run studies or write files are not.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import ConfigError
from sim.feeder_import.report import Fate, Report, refused

_DEPTH_MAX: Final = 20
_PROBLEMS_MAX: Final = 100
_BYTES_MAX: Final = 200_000_000
_DESCRIBE: Final = frozenset(
    {
        "new", "edit", "more", "~", "m", "set", "open", "close", "disable", "enable", "batchedit",
        "calcvoltagebases", "calcv", "setkvbase", "buscoords", "latloncoords", "latlongcoords",
        "makebuslist", "var", "select", "setbusxy", "addbusmarker", "alignfile", "_",
    }
)  # fmt: skip
_QUIET: Final = frozenset(
    {
        "solve", "show", "plot", "export", "sample", "visualize", "fileedit", "dump", "save",
        "reset", "summary", "closedi", "di_plot", "cleanup", "closeall", "interpolate", "about",
        "help", "cmdresults", "formedit", "guids", "uuids", "?", "get", "cd", "comparecases",
        "yearlycurves", "panel", "wait", "init", "nodelist", "nodediff", "vdiff", "currents",
        "voltages", "powers", "seqvoltages", "seqcurrents", "seqpowers", "losses", "phaselosses",
        "cktlosses", "ysc", "zsc", "zsc10", "zscrefresh", "giscoords",
    }
)  # fmt: skip
"""Studies and output: left out without a word."""
_FILES: Final = ("redirect", "compile")
_COORDINATES: Final = ("buscoords", "latloncoords", "latlongcoords")
_NEW: Final = re.compile(r"new\s+(?:object\s*=\s*)?[\"']?([\w-]+)\.([^\s\"',]+)", re.IGNORECASE)
_CIRCUIT: Final = "circuit"
_USER_MODEL: Final = re.compile(r"user model (\S+) not loaded", re.IGNORECASE)
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]")
_DATA: Final = re.compile(
    r"\b(file|csvfile|dblfile|sngfile|pqcsvfile)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s,)\]]+)",
    re.IGNORECASE,
)
_SOLVES: Final = re.compile(r"calcv")
_WORD: Final = re.compile(
    r"(?<![\w%])(kv|kw|kva|kvar|kvs|kvas|pf|r1|x1|r0|x0|c1|c0|basekv|pu|length|kwrated|kwhrated|pmpp|"
    r"xhl|xht|xlt|normamps|emergamps|vminpu|vmaxpu)\s*=\s*([A-Za-z]+)(?=[\s,]|$)",
    re.IGNORECASE,
)
"""A word where a number belongs: the engine takes it for 0."""
_SERIES: Final = ("loadshape", "growthshape", "tempshape", "priceshape", "xycurve", "spectrum")
"""Classes that a snapshot can do without."""
_SHORTEST: Final = 3


class Script:
    """Feeds one master file; `problems` are (place, what the engine says). `look` is called before
    a line that makes the engine solve: it may raise for figures that would crash it."""

    def __init__(
        self,
        dss: Any,
        report: Report,
        passing: Callable[[str], None] = lambda _: None,
        *,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._dss = dss
        self._passing = passing
        self._look = look
        self._report = report
        self.problems: list[tuple[str, str]] = []
        self.has_voltage_bases = False
        self._circuits = 0
        self._folder = Path.cwd()
        self._links = self._folder

    def run(self, master: Path) -> None:
        """Describe the circuit of `master` to the engine.

        Raises ConfigError naming file and line of everything that the engine does not take, for
        a file that cannot be read, and for one without a circuit.
        """
        with _folder_kept(), tempfile.TemporaryDirectory(prefix="gridctl-dss-") as links:
            self._links = Path(links)
            self._dss.text("clearall")
            self._file(master.resolve(), depth=0)
        if self.problems:
            raise refused(str(master), self.problems)
        if not self._circuits:
            raise ConfigError(
                "no circuit is defined here",
                file=str(master),
                hint="name the master file, the one with `New Circuit.`",
            )

    def _file(self, path: Path, *, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise ConfigError(f"redirected more than {_DEPTH_MAX} deep", file=str(path))
        self._enter(path.parent)
        in_comment = False
        for number, raw in enumerate(_lines(path), start=1):
            line = raw.strip()
            if in_comment or line.startswith("/*"):
                in_comment = "*/" not in line
                continue
            line = _without_comment(line)
            if line and len(self.problems) < _PROBLEMS_MAX:
                self._line(line, path, number, depth=depth)

    def _clear(self) -> None:
        """Begin again, where a file holds several circuits: the last one is meant."""
        if self._circuits:
            self._dss.text("clearall")
            self._enter(self._folder)
            self._circuits = 0
            self.has_voltage_bases = False
            self.problems.clear()
            self._report.entries.clear()
            self._report.places.clear()

    def _enter(self, folder: Path) -> None:
        self._folder = folder
        # Files of numbers are named from the folder of the script that names them.
        if str(folder).isascii():
            self._dss.text(f'set datapath="{folder}"')

    def _plain(self, file: Path) -> str:
        """A name of `file` that the engine takes: it knows no letter outside ASCII."""
        if str(file).isascii():
            return str(file)
        link = self._links / f"{len(list(self._links.iterdir()))}{ascii(file.suffix)[1:-1]}"
        link.symlink_to(file)
        return str(link)

    def _line(self, line: str, path: Path, number: int, *, depth: int) -> None:
        place = f"{path.name}:{number}"
        verb = re.split(r"[\s=]", line, maxsplit=1)[0].lower()
        if verb in ("clear", "clearall"):
            self._clear()
            return
        if verb in _FILES:
            self._redirect(line, path, place, depth=depth)
        elif verb in _QUIET or _abbreviates(verb, _QUIET):
            return
        elif verb in _DESCRIBE or "." in verb or "=" in line or line.startswith("~"):
            self._describe(verb, line, place)
        else:
            self._report.add(verb, Fate.REFUSED, f"command not carried out ({place})")

    def _redirect(self, line: str, path: Path, place: str, *, depth: int) -> None:
        parts = line.split(maxsplit=1)
        name = re.sub(r"^file\s*=\s*", "", parts[1]) if len(parts) > 1 else ""
        target = _found(path.parent, name.strip().strip("\"'()[]"))
        if target is None:
            self.problems.append((place, f"there is no file {name.strip()}"))
            return
        self._file(target, depth=depth + 1)
        self._enter(path.parent)

    def _describe(self, verb: str, line: str, place: str) -> None:
        if verb in _COORDINATES:
            self._coordinates(line, place)
            return
        defined = _NEW.match(_ascii(line))
        if defined:
            kind, name = defined[1].lower(), defined[2].lower()
            if kind == _CIRCUIT:
                self._circuits += 1
                if self._circuits > 1:
                    self.problems.append((place, "a second circuit, with no Clear before it"))
                    return
                kind, name = "vsource", "source"
            self._report.places.setdefault(f"{kind}.{name}", place)
        low = line.lower()
        if verb == "set" and ("datapath" in low or "editor" in low or "cmdlog" in low):
            return
        self.has_voltage_bases |= (verb == "set" and "voltagebases" in low) or verb == "setkvbase"
        if _SOLVES.match(verb):
            if self.problems:  # told at the end; the engine may not survive what is missing
                return
            self._look()
        for key, word in _WORD.findall(line):
            self.problems.append((place, f"{key}={word} is no number: {line[:80]!r}"))
        found = _DATA.sub(self._data_file, line)
        if defined and "\0" in found and defined[1].lower() in _SERIES:
            why = f"its file of numbers is not there ({place})"
            self._report.add(f"{defined[1]}.{defined[2]}", Fate.REFUSED, why)
            return
        self._say(found.replace("\0", ""), place)

    def _data_file(self, match: re.Match[str]) -> str:
        """A file of numbers by its full path: names come from Windows. NUL marks a missing one."""
        name = match[2].strip("\"'")
        target = _found(self._folder, name)
        if target is None:
            return f"{match[1]}=\0{name}"
        text = self._plain(target)
        return f'{match[1]}="{text}"' if " " in text else f"{match[1]}={text}"

    def _coordinates(self, line: str, place: str) -> None:
        parts = line.split(maxsplit=1)
        name = re.sub(r"^file\s*=\s*", "", parts[1]) if len(parts) > 1 else ""
        target = _found(self._folder, name.strip().strip("\"'()[]"))
        if target is None:
            self._report.add("buscoords", Fate.REFUSED, f"there is no file {name} ({place})")
            return
        self._say("makebuslist", place)
        self._say(f'{parts[0]} "{self._plain(target)}"', place)

    def _say(self, line: str, place: str) -> None:
        line = _ascii(line)
        self._passing(f"{place} ({line[:60]})")
        answer = str(self._dss.text(line)).strip()
        if not answer:
            return
        said = " ".join(answer.split())
        if said.lower().startswith("warning"):
            self._report.add("warning", Fate.APPROXIMATED, f"{place}: {said}")
        elif (missing := _USER_MODEL.search(said)) and (defined := _NEW.match(line)):
            why = f"needs the user-written model {missing[1]}, which is not here"
            self._report.add(f"{defined[1]}.{defined[2]}", Fate.REFUSED, why)
            self._dss.text(f"{defined[1]}.{defined[2]}.enabled=no")
        elif not _is_reading(line, said):
            self.problems.append((place, f"OpenDSS does not take {line[:80]!r}: {said[:200]}"))


def _ascii(line: str) -> str:
    """`line` with other letters by their number, which is the same wherever a name comes up."""
    return _FOREIGN.sub(lambda found: f"u{ord(found[0].lower()):x}", line)


def _is_reading(line: str, said: str) -> bool:
    """Whether an answer is a figure that was asked for, and no error."""
    edited = line.lower().startswith("batchedit") and "edited" in said.lower()
    return edited or line.lower().startswith(("select", "var", "?", "get"))


def _abbreviates(verb: str, words: frozenset[str]) -> bool:
    return (
        len(verb) >= _SHORTEST
        and verb not in _DESCRIBE
        and not any(word.startswith(verb) for word in _DESCRIBE)
        and any(word.startswith(verb) for word in words)
    )


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise ConfigError("larger than 200 MB", file=str(path))
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    if b"\0" in text[:4096]:
        raise ConfigError("this is no text file", file=str(path))
    try:
        return text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return text.decode("latin-1").splitlines()


def _without_comment(line: str) -> str:
    """`line` up to "!" or "//" outside quotes."""
    quote = ""
    for i, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "!" or (letter == "/" and line[i : i + 2] == "//"):
            return line[:i].strip()
    return line


def _found(folder: Path, name: str) -> Path | None:
    """The file `name` beside a script; case is forgiven, as scripts come from Windows."""
    if not name:
        return None
    path = folder
    for part in Path(name.replace("\\", "/")).parts:
        step = path / part
        if not step.exists() and path.is_dir():
            step = next((p for p in path.iterdir() if p.name.lower() == part.lower()), step)
        path = step
    return path.resolve() if path.is_file() else None


@contextmanager
def _folder_kept() -> Iterator[None]:
    """OpenDSS changes the working directory as it reads; put it back."""
    folder = Path.cwd()
    try:
        yield
    finally:
        os.chdir(folder)
