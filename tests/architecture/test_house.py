"""The house stands as drawn: who owns the names, and what each entry point loads."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from gridctl.provenance import NAMES, check_provenance


def loaded_by(statement: str) -> set[str]:
    """Top-level and second-level module names after `statement` in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {".".join(name.split(".")[:2]) for name in out.stdout.split()} | {
        name.split(".")[0] for name in out.stdout.split()
    }


def test_the_four_names_are_gridctls_alone() -> None:
    owners = packages_distributions()
    for name in NAMES:
        # An editable install (as here) lists no files; a wheel lists all four.
        assert set(owners.get(name, ["gridctl"])) == {"gridctl"}
    check_provenance()


def test_the_field_agent_loads_no_office() -> None:
    loaded = loaded_by("import gridctl.assembly_field")
    forbidden = {
        "aiohttp",
        "sqlalchemy",
        "scipy",
        "apscheduler",
        "optimizer",
        "sim",
        "gridctl.control",
        "gridctl.store",
        "gridctl.web",
        "gridctl.openadr",
    }
    assert not loaded & forbidden


def test_the_office_loads_no_driver() -> None:
    loaded = loaded_by("import gridctl.assembly")
    # `protocols` itself is loaded through nothing: neither driver nor native library.
    assert not loaded & {"opendnp3", "asyncua", "protocols.dnp3", "protocols.opcua", "sim"}


def test_the_command_line_is_light() -> None:
    loaded = loaded_by("import gridctl.cli")
    heavy = {"aiohttp", "sqlalchemy", "numpy", "scipy", "opendnp3", "asyncua", "pydantic"}
    assert not loaded & heavy


def test_the_model_is_pure() -> None:
    names = "alarm approval canonical clock command errors limits link measurement network order"
    names += " permit plan planning program quantity record resource selection"
    loaded = loaded_by(f"import {', '.join(f'gridctl.model.{n}' for n in names.split())}")
    assert not loaded & {"pydantic", "numpy", "asyncio", "aiohttp", "cryptography"}


@pytest.mark.parametrize("command", ["--help", "demo --help", "plan --help", "plan approve --help"])
def test_help_reads_well(command: str) -> None:
    out = subprocess.run(
        [sys.executable, "-m", "gridctl.cli", *command.split()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "Usage: " in out
    assert all(len(line) <= 100 for line in out.splitlines())
