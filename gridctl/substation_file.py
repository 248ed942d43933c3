"""The file of a substation: its limit, and the offices of its feeders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gridctl.configfile import read_toml, refused


class Member(BaseModel):
    """`[[feeder]]`: an office, and the client that it knows this substation as."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$")]
    client_id: Annotated[str, Field(min_length=1)]
    secret_file: Path
    ca: Path | None = None


class SubstationFile(BaseModel):
    """The substation's file. `limit_kw`: of the sum of the feeders' imports; it has no default.
    `step_kw`: shares are rounded up to it; `band_kw`: a share that stands is kept while the one
    that is wanted lies within this of it, as a change makes plans that wait for approval void."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mrid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]
    limit_kw: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    cycle_s: Annotated[float, Field(ge=10, le=3600)] = 300.0
    deadline_s: Annotated[float, Field(ge=5, le=3600)] = 240.0
    step_kw: Annotated[float, Field(gt=0, le=1e4)] = 5.0
    band_kw: Annotated[float, Field(ge=0, le=1e4)] = 25.0
    feeder: Annotated[tuple[Member, ...], Field(min_length=1, max_length=1_000)]


def load_substation(path: Path) -> SubstationFile:
    """Read the file; paths in it are relative to its folder. Raises ConfigError."""
    try:
        found = SubstationFile.model_validate(read_toml(path))
    except ValidationError as error:
        raise refused(path, error, SubstationFile) from None
    here = path.resolve().parent
    members = tuple(
        m.model_copy(
            update={
                "secret_file": here / m.secret_file,
                "ca": None if m.ca is None else here / m.ca,
            }
        )
        for m in found.feeder
    )
    return found.model_copy(update={"feeder": members})
