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
from sim.feeder_import.script_files import found_file, has_no_figure, script_lines, without_comment
from sim.feeder_import.slips import slips

_DEPTH_MAX: Final = 20
_PROBLEMS_MAX: Final = 100
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
_MEANT: Final = re.compile(
    r"(?:edit\s+(?:object\s*=\s*)?)?[\"']?([A-Za-z]\w*)\.([^\s\"',=]+)", re.IGNORECASE
)
_LIKE: Final = re.compile(r"^new\b.*\blike\s*=", re.IGNORECASE)
_MORE: Final = ("~", "more", "m")
_CIRCUIT: Final = "circuit"
_USER_MODEL: Final = re.compile(r"user model (\S+) not loaded", re.IGNORECASE)
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]")
_DATA: Final = re.compile(
    r"\b(file|csvfile|dblfile|sngfile|pqcsvfile)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s,)\]]+)",
    re.IGNORECASE,
)
_TEXT_KEYS: Final = ("file", "csvfile", "pqcsvfile")
_CONNECTION: Final = re.compile(
    r"\b(conns?\s*=\s*)([(\[{][^)\]}]*|\"[^\"]*|'[^']*|[^\s,]+)", re.IGNORECASE
)
_SOLVES: Final = re.compile(r"calcv")
_SERIES: Final = ("loadshape", "growthshape", "tempshape", "priceshape", "xycurve", "spectrum")
"""Classes that a snapshot can do without."""
_DEFINITIONS: Final = frozenset(
    {
        *_SERIES, "linecode", "linegeometry", "linespacing", "wiredata", "cndata", "tsdata",
        "xfmrcode", "tcc_curve", "tshape", "dynamicexp", "monitor", "energymeter", "sensor",
    }
)  # fmt: skip
"""Classes of which a second one of a name does no harm: the later one counts from there on."""
_INVERTER_CONTROLS: Final = frozenset({"invcontrol", "expcontrol", "storagecontroller"})
"""No place in the model, and the engine crashes where one of them names what is not there."""
_SHORTEST: Final = 2


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
        self._root = self._folder
        self._way: list[tuple[Path, str]] = []
        """The files that are being read, each with the line that led to it."""
        self._active = ""
        """The element that a line that goes on is about."""
        self._is_like = False
        self._told_of = ""
        self._is_left_out = False

    def run(self, master: Path) -> None:
        """Describe the circuit of `master` to the engine.

        Raises ConfigError naming file and line of everything that the engine does not take, for
        a file that cannot be read, and for one without a circuit.
        """
        with _folder_kept(), tempfile.TemporaryDirectory(prefix="gridctl-dss-") as links:
            self._links = Path(links)
            self._dss.text("clearall")
            self._root = master.resolve().parent
            self._file(master.resolve(), str(master))
        if self.problems:
            raise refused(str(master), self.problems)
        if not self._circuits:
            raise ConfigError(
                "no circuit is defined here",
                file=str(master),
                hint="name the master file, the one with `New Circuit.`",
            )

    def _file(self, path: Path, led_here: str) -> None:
        self._refuse_ring(path, led_here)
        self._way.append((path, led_here))
        self._enter(path.parent)
        comment = ""
        for number, raw in enumerate(script_lines(path), start=1):
            line = raw.strip()
            if comment or line.startswith("/*"):
                comment = "" if "*/" in line else comment or self._place(path, number)
                continue
            line = without_comment(line)
            if line and len(self.problems) < _PROBLEMS_MAX:
                self._line(line, path, self._place(path, number))
        if comment:
            self.problems.append((comment, "the block comment that begins here has no end"))
        self._way.pop()

    def _refuse_ring(self, path: Path, led_here: str) -> None:
        """ConfigError for files that redirect to one another for ever."""
        files = [file for file, _ in self._way]
        if path in files:
            steps = [place for _, place in self._way[files.index(path) + 1 :]] + [led_here]
            raise ConfigError(
                f"redirects to {path.name}, which is being read: {', '.join(steps)} go in a ring",
                file=led_here,
            )
        if len(self._way) > _DEPTH_MAX:
            raise ConfigError(f"redirected more than {_DEPTH_MAX} deep", file=led_here)

    def _place(self, path: Path, number: int) -> str:
        """File and line, as seen from the master's folder."""
        inside = path.is_relative_to(self._root)
        return f"{path.relative_to(self._root) if inside else path}:{number}"

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

    def _line(self, line: str, path: Path, place: str) -> None:
        verb = re.split(r"[\s=]", line, maxsplit=1)[0].lower()
        if verb in ("clear", "clearall"):
            self._clear()
            return
        if verb in _FILES:
            self._redirect(line, path, place)
        elif verb in _QUIET or _abbreviates(verb, _QUIET):
            return
        elif verb in _DESCRIBE or "." in verb or "=" in line or line.startswith("~"):
            self._describe(verb, line, place)
        else:
            self._report.add(verb, Fate.REFUSED, f"command not carried out ({place})")

    def _redirect(self, line: str, path: Path, place: str) -> None:
        parts = line.split(maxsplit=1)
        name = re.sub(r"^file\s*=\s*", "", parts[1]) if len(parts) > 1 else ""
        target = found_file(path.parent, name.strip().strip("\"'()[]"))
        if target is None:
            self.problems.append((place, f"there is no file {name.strip()}"))
            return
        self._file(target, place)
        self._enter(path.parent)

    def _describe(self, verb: str, line: str, place: str) -> None:
        if verb in _COORDINATES:
            self._coordinates(line, place)
            return
        defined = _NEW.match(_ascii(line))
        if defined and not self._define(defined, place):
            return
        if self._is_about_inverters(verb, line):
            return
        line = _CONNECTION.sub(_plain_connection, self._own(verb, line))
        low = line.lower()
        if verb == "set" and ("datapath" in low or "editor" in low or "cmdlog" in low):
            return
        self.has_voltage_bases |= (verb == "set" and "voltagebases" in low) or verb == "setkvbase"
        if _SOLVES.match(verb):
            if self.problems:  # told at the end; the engine may not survive what is missing
                return
            self._look()
        for slip in slips(line):
            self.problems.append((place, f"{slip}: {line[:80]!r}"))
        found = _DATA.sub(self._data_file, line)
        if defined and "\0" in found and defined[1].lower() in _SERIES:
            fault = "holds none" if "\0\0" in found else "is not there"
            why = f"its file of numbers {fault} ({place})"
            self._report.add(f"{defined[1]}.{defined[2]}", Fate.REFUSED, why)
            return
        self._say(found.replace("\0", ""), place)

    def _define(self, defined: re.Match[str], place: str) -> bool:
        """Note where an element is defined; whether the engine can be told of it."""
        kind, name = defined[1].lower(), defined[2].lower()
        if kind == _CIRCUIT:
            self._circuits += 1
            if self._circuits > 1:
                self.problems.append((place, "a second circuit, with no Clear before it"))
                return False
            kind, name = "vsource", "source"
        elif not self._circuits:
            # The engine does not survive it, and nothing after it can be read.
            self.problems.append((place, f"{defined[1]}.{defined[2]} comes before any New Circuit"))
            raise refused(self._report.source, self.problems)
        first = self._report.places.setdefault(f"{kind}.{name}", place)
        if first == place:
            return True
        told = f"{defined[1]}.{defined[2]}"
        if kind in _DEFINITIONS:
            why = f"defined at {first} and again at {place}: the later one counts from there on"
            self._report.add(told, Fate.APPROXIMATED, why)
            return True
        self.problems.append((place, f"{told} is here a second time; the first is at {first}"))
        return False

    def _is_about_inverters(self, verb: str, line: str) -> bool:
        """Whether a line is about a control of inverters, which is left out; told once."""
        meant = _NEW.match(line) or _MEANT.match(line)
        if meant:
            self._active = f"{meant[1]}.{meant[2]}"
            self._is_left_out = meant[1].lower() in _INVERTER_CONTROLS
            if self._is_left_out and verb == "new":
                why = "what inverters do is in the fleet's tables; left out of the file's solution"
                self._report.add(self._active, Fate.REFUSED, why)
            return self._is_left_out
        return self._is_left_out and (verb in _MORE or line.startswith("~"))

    def _own(self, verb: str, line: str) -> str:
        """`line`, as an edit of the element that it goes on with after `like=`: the engine would
        give it to the element that was the model."""
        goes_on = verb in _MORE or line.startswith("~")
        if not goes_on or not self._is_like:
            self._is_like = self._is_like if goes_on else bool(_LIKE.search(line))
            return line
        rest = line[1:] if line.startswith("~") else line[len(verb) :]
        if self._told_of != self._active:
            self._told_of = self._active
            why = "the lines after its like= are taken as its own; OpenDSS edits the other one"
            self._report.add(self._active, Fate.KEPT, why)
        return f"Edit {self._active} {rest.strip()}"

    def _data_file(self, match: re.Match[str]) -> str:
        """A file of numbers by its full path: names come from Windows. NUL marks a missing one,
        two of them one without a figure."""
        name = match[2].strip("\"'")
        target = found_file(self._folder, name)
        if target is None:
            return f"{match[1]}=\0{name}"
        if match[1].lower() in _TEXT_KEYS and has_no_figure(target):
            return f"{match[1]}=\0\0{name}"
        text = self._plain(target)
        return f'{match[1]}="{text}"' if " " in text else f"{match[1]}={text}"

    def _coordinates(self, line: str, place: str) -> None:
        parts = line.split(maxsplit=1)
        name = re.sub(r"^file\s*=\s*", "", parts[1]) if len(parts) > 1 else ""
        target = found_file(self._folder, name.strip().strip("\"'()[]"))
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
            said = re.sub(r"^warning[:!\s]*", "", said, flags=re.IGNORECASE)
            self._report.add(self._active or "warning", Fate.APPROXIMATED, f"{said} ({place})")
        elif (missing := _USER_MODEL.search(said)) and (defined := _NEW.match(line)):
            why = f"needs the user-written model {missing[1]}, which is not here"
            self._report.add(f"{defined[1]}.{defined[2]}", Fate.REFUSED, why)
            self._dss.text(f"{defined[1]}.{defined[2]}.enabled=no")
        elif not _is_reading(line, said):
            self.problems.append((place, f"OpenDSS does not take {line[:80]!r}: {said[:200]}"))


def _ascii(line: str) -> str:
    """`line` with other letters by their number, which is the same wherever a name comes up."""
    return _FOREIGN.sub(lambda found: f"u{ord(found[0].lower()):x}", line)


def _plain_connection(found: re.Match[str]) -> str:
    """`conn=LL` as delta, `LN` as wye: the engine takes both for wye."""
    delta = re.sub(r"\bLL\b", "delta", found[2], flags=re.IGNORECASE)
    return found[1] + re.sub(r"\bLN\b", "wye", delta, flags=re.IGNORECASE)


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


@contextmanager
def _folder_kept() -> Iterator[None]:
    """OpenDSS changes the working directory as it reads; put it back."""
    folder = Path.cwd()
    try:
        yield
    finally:
        os.chdir(folder)
