"""`gridctl opcua trust …`: which servers' certificates a link trusts, decided by a person.

Works on the folder that the field agent reads at each attempt to connect, so it needs neither a
running agent nor a restart. Run it on the field's host, as the user that the agent runs as.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridctl.cli_ending import ending
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance
from gridctl.model.errors import ConfigError

if TYPE_CHECKING:
    from protocols.opcua.trust import Entry, TrustList


opcua_app = typer.Typer(help="OPC UA links.", no_args_is_help=True)
trust_app = typer.Typer(
    help="Certificates of OPC UA servers: list, accept or reject by thumbprint.",
    no_args_is_help=True,
)
opcua_app.add_typer(trust_app, name="trust")

LinkId = Annotated[
    str, typer.Option("--link", "-l", help="The link, where more than one has a trust list.")
]


@trust_app.command("list")
def trust_list(
    instance: Instance = DEFAULT_INSTANCE, link: LinkId = "", as_json: AsJson = False
) -> None:
    """Every certificate that is trusted, or was shown and refused."""
    with ending():
        found = {name: trust.entries() for name, trust in _trust_lists(instance, link)}
        if as_json:
            rows = [{"link": name, **asdict(one)} for name, all_ in found.items() for one in all_]
            print(json.dumps({"certificates": rows}, indent=2, ensure_ascii=False))
            return
        for name, entries in found.items():
            print(f"link {name}:" if entries else f"link {name}: no certificate")
            for one in entries:
                print(_line(one))


@trust_app.command("accept")
def trust_accept(
    thumbprint: str,
    instance: Instance = DEFAULT_INSTANCE,
    link: LinkId = "",
    as_json: AsJson = False,
) -> None:
    """Trust a refused certificate from the next attempt on. Compare the thumbprint with its owner
    first, by another way than the network that showed it."""
    with ending():
        entry = _the_list(instance, link, thumbprint, "rejected").accept(thumbprint)
        if as_json:
            print(json.dumps(asdict(entry), indent=2, ensure_ascii=False))
            return
        print(f"Trusted from now on: {entry.subject} ({entry.thumbprint})")


@trust_app.command("reject")
def trust_reject(
    thumbprint: str,
    instance: Instance = DEFAULT_INSTANCE,
    link: LinkId = "",
    as_json: AsJson = False,
) -> None:
    """Trust a certificate no longer, from the next attempt to connect on."""
    with ending():
        entry = _the_list(instance, link, thumbprint, "trusted").reject(thumbprint)
        if as_json:
            print(json.dumps(asdict(entry), indent=2, ensure_ascii=False))
            return
        print(f"No longer trusted: {entry.subject} ({entry.thumbprint})")
        print("A link that is up stays up until it is opened anew.")


def _trust_lists(instance: Path, link: str) -> Iterator[tuple[str, TrustList]]:
    """Each OPC UA link with its trust list. Raises ConfigError when there is none."""
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose
    from protocols.opcua.trust import TrustList  # noqa: PLC0415 - lazy on purpose

    file = instance / "gridctl.toml"
    found = False
    for table in load_settings(file).field.links:
        folder = table.options().get("trust_list")
        if table.protocol != "opcua" or folder is None or link not in ("", table.id):
            continue
        found = True
        yield table.id, TrustList(Path(str(folder)))
    if not found:
        raise ConfigError(
            f"link {link} has no trust_list" if link else "no OPC UA link has a trust_list",
            file=str(file),
            key="field.links.trust_list",
            hint='for instance trust_list = "pki/opcua" in the link\'s table',
        )


def _the_list(instance: Path, link: str, thumbprint: str, standing: str) -> TrustList:
    """The one trust list that is meant: the named link's, else the one that knows it."""
    lists = dict(_trust_lists(instance, link))
    if len(lists) == 1:
        return next(iter(lists.values()))
    wanted = "".join(thumbprint.split()).replace(":", "").upper()
    knowing = [
        name
        for name, trust in lists.items()
        if any((one.thumbprint, one.standing) == (wanted, standing) for one in trust.entries())
    ]
    if len(knowing) != 1:
        raise ConfigError(
            f"{len(knowing)} links have a {standing} certificate {thumbprint}",
            file=str(instance / "gridctl.toml"),
            key="field.links.trust_list",
            hint=f"name the link: --link {' | '.join(sorted(lists))}",
        )
    return lists[knowing[0]]


def _line(entry: Entry) -> str:
    until = datetime.fromtimestamp(entry.valid_until_s, tz=UTC)
    return (
        f"  {entry.standing:8}  {entry.thumbprint}  until {until:%Y-%m-%d}  "
        f"{entry.subject}  {entry.application_uri}"
    )
