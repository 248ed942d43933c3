"""Whether the four packages are really ours: a shadowed driver is a safety event (ADR 0002).

The top-level names are generic; another distribution that ships a `protocols` package could stand
in front of ours on the path. gridctl refuses to start then.
"""

from __future__ import annotations

from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

from gridctl.model.errors import ConfigError

NAMES = ("gridctl", "protocols", "optimizer", "sim")


def check_provenance() -> None:
    """Raises ConfigError when one of the four names is not from this installation."""
    owners = packages_distributions()
    home = Path(__file__).resolve().parent.parent
    for name in NAMES:
        spec = find_spec(name)
        origin = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if origin is None or origin.parent.parent != home:
            raise ConfigError(
                f"package {name!r} comes from {origin}, not from {home}",
                file=str(home),
                key=name,
                hint="install gridctl in an environment of its own and start it with python -P",
            )
        others = set(owners.get(name, ())) - {"gridctl"}
        if others:
            raise ConfigError(
                f"package {name!r} is also claimed by {', '.join(sorted(others))}",
                file=str(home),
                key=name,
                hint=f"uninstall {', '.join(sorted(others))} from this environment",
            )
