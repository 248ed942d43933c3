"""Points and links as one frozen whole, and what differs between two of them.

Loading is all or nothing. What a driver has of a point is compared apart from what only people and
the office have of it: a new name drops no session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gridctl.field.execution import with_link
from gridctl.field.settings import FieldSettings, WatchedLink
from gridctl.model.errors import ConfigError
from gridctl.model.quantity import Phase
from protocols.driver import PointAddress
from protocols.points import load_points

FILE_BYTES_MAX = 1024 * 1024
NEED_A_RESTART = (
    "agent",
    "limits",
    "socket",
    "office_public_key",
    "stop_file",
    "spool",
    "confirm_timeout_s",
)
"""Settings that a running agent does not change: others rely on them, or OT owns them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConfiguration:
    """What the agent reads and where. `rows`: the addresses by link. `files`: digest of each file
    that a link's options name, by link: a renewed certificate is a change of the link."""

    settings: FieldSettings
    addresses: tuple[PointAddress, ...]
    rows: Mapping[str, Sequence[PointAddress]]
    files: Mapping[str, Mapping[str, str]]

    @property
    def links(self) -> Mapping[str, WatchedLink]:
        """The links by their id."""
        return {watched.settings.id: watched for watched in self.settings.links}

    @property
    def heartbeats(self) -> dict[str, str]:
        """The heartbeat point of each link that has one."""
        return {k: w.heartbeat for k, w in self.links.items() if w.heartbeat is not None}

    @property
    def sequence_points(self) -> tuple[str, ...]:
        """Points of which every change counts."""
        return tuple(a.point.mrid for a in self.addresses if a.soe)


def load_configuration(settings: FieldSettings) -> FieldConfiguration:
    """Read the points file of `settings`. Raises ConfigError for everything that cannot be used;
    takes about two seconds for 100,000 points, so call it in a thread when others wait."""
    addresses = tuple(with_link(a) for a in load_points(settings.points, settings.context))
    _check_links(settings, addresses)
    files = {w.settings.id: _digests(w) for w in settings.links}
    rows: dict[str, list[PointAddress]] = {w.settings.id: [] for w in settings.links}
    for address in addresses:
        rows[address.link].append(address)
    return FieldConfiguration(settings=settings, addresses=addresses, rows=rows, files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Links by what happens to each when one configuration follows another."""

    kept: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    points_differ: bool

    @property
    def stopping(self) -> tuple[str, ...]:
        """Links whose present driver ends."""
        return (*self.changed, *self.removed)

    @property
    def starting(self) -> tuple[str, ...]:
        """Links that get a new driver."""
        return (*self.changed, *self.added)


def difference(old: FieldConfiguration, new: FieldConfiguration) -> Change:
    """What has to happen to go from `old` to `new`."""
    was, will = _by_link(old), _by_link(new)
    both = [link for link in was if link in will]
    return Change(
        kept=tuple(link for link in both if was[link] == will[link]),
        changed=tuple(link for link in both if was[link] != will[link]),
        added=tuple(link for link in will if link not in was),
        removed=tuple(link for link in was if link not in will),
        points_differ=[_bare(a) for a in old.addresses] != [_bare(a) for a in new.addresses],
    )


def objections(
    old: FieldConfiguration,
    new: FieldConfiguration,
    *,
    held: Iterable[str],
    busy: Iterable[str],
) -> list[str]:
    """Why `new` must not follow `old` now; empty when it may.

    `held`: setpoints that are under a lease, `busy`: points with a command in flight. Neither may
    disappear or mean something else under the agent's hands: it has to be able to return them.
    """
    found = [
        f"{name} has changed, which needs a restart of the field agent"
        for name in NEED_A_RESTART
        if getattr(old.settings, name) != getattr(new.settings, name)
    ]
    before = {a.point.mrid: a for a in old.addresses}
    after = {a.point.mrid: a for a in new.addresses}
    busy = list(busy)
    bound = [(mrid, "holds a lease") for mrid in held]
    bound += [(mrid, "has a command in flight") for mrid in busy]
    for mrid, why in bound:
        if mrid not in before:
            continue
        if mrid not in after:
            found.append(f"{mrid} {why} and would be removed: let it end first")
        elif _wired(before[mrid]) != _wired(after[mrid]):
            found.append(f"{mrid} {why} and would be reached otherwise: let it end first")
    changed = set(difference(old, new).stopping)
    found += [
        f"link {before[mrid].link} carries a command to {mrid}: try again"
        for mrid in busy
        if mrid in before and before[mrid].link in changed
    ]
    return found


def _by_link(one: FieldConfiguration) -> Mapping[str, object]:
    return {
        link: (
            watched.settings.protocol,
            dict(watched.settings.options),
            watched.heartbeat,
            one.files[link],
            [_wired(a) for a in one.rows[link]],
        )
        for link, watched in one.links.items()
    }


def _bare(address: PointAddress) -> PointAddress:
    """Without its place in the file."""
    return replace(address, file="", line=0)


def _wired(address: PointAddress) -> PointAddress:
    """Only what its driver has of it."""
    point = replace(
        address.point, name="", equipment="", phase=Phase.NONE, expect=None, tolerance=None
    )
    return replace(address, point=point, group="", file="", line=0)


def _digests(watched: WatchedLink) -> Mapping[str, str]:
    """Digest of each file that the options of a link name."""
    found: dict[str, str] = {}
    for option, value in watched.settings.options.items():
        path = Path(value) if isinstance(value, str) and value.startswith("/") else None
        try:
            if path is not None and path.is_file() and path.stat().st_size <= FILE_BYTES_MAX:
                found[option] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            # Its driver says what is wrong with it, better than we could.
            found[option] = "unreadable"
    return found


def _check_links(settings: FieldSettings, addresses: Sequence[PointAddress]) -> None:
    """The points file and the links must know each other. Raises ConfigError."""
    links = {watched.settings.id for watched in settings.links}
    for address in addresses:
        if address.link not in links:
            raise ConfigError(
                f"link {address.link} is not configured",
                file=address.file,
                key=f"{address.line}:link",
                hint=f"one of {', '.join(sorted(links))}, or add a [[field.links]] table",
            )
    known = {address.point.mrid: address.link for address in addresses}
    for watched in settings.links:
        if watched.heartbeat is not None and known.get(watched.heartbeat) != watched.settings.id:
            raise ConfigError(
                f"heartbeat {watched.heartbeat} is not a point of link {watched.settings.id}",
                file=watched.settings.file,
                key="field.links.heartbeat",
                line=watched.settings.lines.get("heartbeat", 0),
                hint="name the point on this link that moves each second",
            )
