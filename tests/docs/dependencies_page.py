"""docs/reference/dependencies.md: what is installed with gridctl, judged and compared.

What a person judged stands in RECORDS, together with the version that was judged. The test compares
it with the lock and with the metadata of what is installed: a raised version has to be judged again.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from tests.docs.tables import GENERATED, table

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "run.txt"
EXTRAS = ("field", "serve", "sim")
SIZE_TOLERANCE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`versions`: as locked, one for each range of Python versions. `released`: month of the last
    of them. `licence`: as we read it; `metadata` is how the installed package spells it ("" where
    it says nothing). `size_mb`: installed, without bytecode, on Linux x86-64."""

    versions: tuple[str, ...]
    released: str
    licence: str
    metadata: str
    size_mb: float
    why: str


RECORDS: dict[str, Record] = {
    "cryptography": Record(
        versions=("50.0.2",),
        released="2026-09",
        licence="Apache-2.0 or BSD-3-Clause",
        metadata="Apache-2.0 OR BSD-3-Clause",
        size_mb=15.0,
        why="Ed25519 signatures of orders, certificates",
    ),
    "pydantic": Record(
        versions=("2.14.3",),
        released="2026-11",
        licence="MIT",
        metadata="MIT",
        size_mb=2.0,
        why="checks everything that comes from outside ([ADR 0007](../adr/0007-pydantic-at-the-edges.md))",
    ),
    "typer": Record(
        versions=("0.29.2",),
        released="2026-11",
        licence="MIT",
        metadata="MIT",
        size_mb=0.5,
        why="command line",
    ),
    "fido2": Record(
        versions=("2.2.1",),
        released="2026-06",
        licence="BSD-2-Clause; parts Apache-2.0, MPL-2.0",
        metadata="BSD License",
        size_mb=0.8,
        why="security keys, WebAuthn ([ADR 0031](../adr/0031-second-factors.md))",
    ),
    "segno": Record(
        versions=("1.6.6",),
        released="2025-03",
        licence="BSD-3-Clause",
        metadata="BSD License",
        size_mb=0.3,
        why="QR code of a generator's secret ([ADR 0042](../adr/0042-qr-code-and-recovery.md))",
    ),
    "joserfc": Record(
        versions=("1.8.0",),
        released="2026-11",
        licence="BSD-3-Clause",
        metadata="BSD-3-Clause",
        size_mb=0.23,
        why="ID tokens of an identity provider ([ADR 0032](../adr/0032-openid-connect.md))",
    ),
    "asyncua": Record(
        versions=("2.1.0",),
        released="2026-10",
        licence="LGPL-3.0-or-later",
        metadata="GNU Lesser General Public License v3 or later",
        size_mb=13.8,
        why="OPC UA client, and the pilot's server ([ADR 0017](../adr/0017-opcua-link-supervisor.md))",
    ),
    "yadnp3": Record(
        versions=("3.2.1.4",),
        released="2026-10",
        licence="Apache-2.0",
        metadata="Apache-2.0",
        size_mb=11.4,
        why="DNP3 master ([ADR 0003](../adr/0003-yadnp3-for-pydnp3.md))",
    ),
    "aiohttp": Record(
        versions=("3.14.5",),
        released="2026-10",
        licence="Apache-2.0 and MIT",
        metadata="Apache-2.0 AND MIT",
        size_mb=7.1,
        why="console, API, WebSocket, OpenADR",
    ),
    "aiosqlite": Record(
        versions=("0.22.1",),
        released="2025-12",
        licence="MIT",
        metadata="MIT License",
        size_mb=0.1,
        why="SQLite under asyncio ([ADR 0008](../adr/0008-sqlite-and-postgresql.md))",
    ),
    "alembic": Record(
        versions=("1.20.1",),
        released="2026-10",
        licence="MIT",
        metadata="MIT",
        size_mb=1.1,
        why="migrations",
    ),
    "apscheduler": Record(
        versions=("3.11.3",),
        released="2026-06",
        licence="MIT",
        metadata="MIT",
        size_mb=0.2,
        why="periodic jobs, in memory only",
    ),
    "argon2-cffi": Record(
        versions=("25.1.0",),
        released="2025-06",
        licence="MIT",
        metadata="MIT",
        size_mb=0.0,
        why="password hashes",
    ),
    "asyncpg": Record(
        versions=("0.32.0",),
        released="2026-10",
        licence="Apache-2.0",
        metadata="Apache-2.0",
        size_mb=11.7,
        why="PostgreSQL",
    ),
    "numpy": Record(
        versions=("2.4.6", "2.5.5"),
        released="2026-11",
        licence="BSD-3-Clause and permissive others",
        metadata="BSD-3-Clause",
        size_mb=57.3,
        why="arrays of the optimizer; Python 3.11 stays on 2.4",
    ),
    "prometheus-client": Record(
        versions=("0.26.0",),
        released="2026-07",
        licence="Apache-2.0 and BSD-2-Clause",
        metadata="Apache-2.0 AND BSD-2-Clause",
        size_mb=0.2,
        why="`/metrics` ([ADR 0015](../adr/0015-prometheus-client.md))",
    ),
    "pysqlite3": Record(
        versions=("0.6.1",),
        released="2026-10",
        licence="Zlib",
        metadata="",
        size_mb=14.0,
        why="a SQLite that loses no commit ([ADR 0008](../adr/0008-sqlite-and-postgresql.md))",
    ),
    "scipy": Record(
        versions=("1.17.1", "1.18.1"),
        released="2026-08",
        licence="BSD-3-Clause and permissive others",
        metadata="BSD",
        size_mb=114.2,
        why="HiGHS and sparse LU of the optimizer; Python 3.11 stays on 1.17",
    ),
    "sqlalchemy": Record(
        versions=("2.1.9",),
        released="2026-11",
        licence="MIT",
        metadata="MIT",
        size_mb=18.0,
        why="database ([ADR 0008](../adr/0008-sqlite-and-postgresql.md))",
    ),
    "yarl": Record(
        versions=("1.25.1",),
        released="2026-09",
        licence="Apache-2.0",
        metadata="Apache-2.0",
        size_mb=0.4,
        why="callback addresses of OpenADR; comes with aiohttp",
    ),
    "demandlib": Record(
        versions=("0.2.2",),
        released="2025-04",
        licence="MIT",
        metadata="MIT License",
        size_mb=15.1,
        why="standard load profiles of the pilot",
    ),
    "pandas": Record(
        versions=("3.1.1",),
        released="2026-11",
        licence="BSD-3-Clause",
        metadata="BSD-3-Clause",
        size_mb=43.5,
        why="what demandlib and pvlib speak",
    ),
    "pvlib": Record(
        versions=("0.16.1",),
        released="2026-09",
        licence="BSD-3-Clause",
        metadata="BSD-3-Clause",
        size_mb=30.9,
        why="sun and PV of the pilot",
    ),
    "py-dss-interface": Record(
        versions=("2.3.0",),
        released="2026-02",
        licence="MIT (engine: BSD-3-Clause)",
        metadata="MIT",
        size_mb=32.1,
        why="the pilot's power flow ([ADR 0009](../adr/0009-opendss-engine.md))",
    ),
    "py1815": Record(
        versions=("0.3.0",),
        released="2026-10",
        licence="Apache-2.0",
        metadata="Apache-2.0",
        size_mb=1.7,
        why="the pilot's outstations ([ADR 0016](../adr/0016-py1815-outstation.md))",
    ),
}

_INTRO = """\
Every package that gridctl itself imports, by the extra that installs it. `requirements/*.txt` lock these
and what they need in turn, with hashes. A production host installs `field` or `serve` or both; `sim` is
for pilots. "Released" is the month of the newest locked version; sizes are those on the disk.

The lock of everything together has {count} packages. All of their licences are permissive except
asyncua's (LGPL-3.0-or-later), which is used unchanged, as a package of its own that anybody can
exchange, certifi's and pathspec's (MPL-2.0), and fido2's list of public suffixes (MPL-2.0)."""


def dependencies_page() -> str:
    """The whole page."""
    wanted = wanted_by()
    parts = [
        f"# Dependencies\n\n{GENERATED}",
        _INTRO.format(count=len(locked())),
    ]
    heads = ("package", "version", "released", "licence", "MB", "for")
    for title, names in wanted.items():
        rows = [_row(name, RECORDS[name]) for name in names]
        parts.append(f"## {title}\n\n{table(heads, rows)}")
    return "\n\n".join(parts) + "\n"


def _row(name: str, record: Record) -> tuple[str, ...]:
    size = "under 0.1" if record.size_mb < 0.05 else f"{record.size_mb:g}"
    versions = ", ".join(record.versions)
    return name, versions, record.released, record.licence, size, record.why


def wanted_by() -> dict[str, list[str]]:
    """Names in pyproject.toml: for every host, and for each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {"Every host": _names(project["dependencies"])}
    for extra in EXTRAS:
        found[f"Extra `{extra}`"] = _names(project["optional-dependencies"][extra])
    return found


def _names(requirements: list[str]) -> list[str]:
    return [re.split(r"[\[<>=~!; ]", text, maxsplit=1)[0].lower() for text in requirements]


def locked() -> dict[str, tuple[str, ...]]:
    """Package → versions in the lock, for all Python versions."""
    found: dict[str, tuple[str, ...]] = {}
    lines = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCK.read_text("utf-8"), re.MULTILINE)
    for name, version in lines:
        found[name.lower()] = (*found.get(name.lower(), ()), version)
    return found


def disagreements(name: str, record: Record) -> list[str]:
    """What the lock and the installed package say otherwise than the record."""
    found = []
    if sorted(locked().get(name, ())) != sorted(record.versions):
        found.append(f"{name}: lock has {locked().get(name)}, judged was {record.versions}")
    installed = distribution(name)
    if installed.version not in record.versions:
        found.append(f"{name}: {installed.version} is installed, judged was {record.versions}")
    licence = licence_of(installed)
    if record.metadata not in licence or (not record.metadata and licence):
        found.append(f"{name}: its licence says {licence!r}, judged was {record.metadata!r}")
    size_mb = size_of(installed)
    if abs(size_mb - record.size_mb) > max(SIZE_TOLERANCE * record.size_mb, 0.5):
        found.append(f"{name}: {size_mb:.1f} MB, recorded {record.size_mb:g}")
    return found


def licence_of(installed: Distribution, *, text: bool = True) -> str:
    """All that the package's metadata says about its licence; `text`: with the field in which some
    put the whole text, and those of what they bundle."""
    data = installed.metadata
    said = list(data.get_all("License-Expression") or [])
    if text:
        said += data.get_all("License") or []
    said += [c for c in data.get_all("Classifier") or [] if c.startswith("License ::")]
    return " / ".join(said)


def size_of(installed: Distribution) -> float:
    """MB of its files, bytecode left out."""
    files = [f for f in installed.files or [] if f.suffix != ".pyc"]
    return sum(f.size or 0 for f in files) / 1e6
