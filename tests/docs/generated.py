"""The pages and pictures that are made from the code, and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sim.server_types import nodeset
from tests.docs.cli_page import cli_page
from tests.docs.decisions_page import decisions_page
from tests.docs.dependencies_page import dependencies_page
from tests.docs.devices_page import devices_page
from tests.docs.dnp3_page import dnp3_page
from tests.docs.drivers_page import drivers_page
from tests.docs.http_page import http_page
from tests.docs.links_page import links_page
from tests.docs.mapping_page import mapping_page
from tests.docs.opcua_page import opcua_page
from tests.docs.platform_page import platform_page
from tests.docs.quality_page import quality_page
from tests.docs.safeguards_page import safeguards_page
from tests.docs.served_page import served_page
from tests.docs.settings_page import configuration_page
from tests.docs.simulator_page import simulator_page
from tests.docs.states_page import states_page
from tests.docs.states_picture import states_svg

DOCS = Path(__file__).parents[2] / "docs"

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": cli_page,
    "reference/configuration.md": configuration_page,
    "reference/quality.md": quality_page,
    "reference/dnp3.md": dnp3_page,
    "reference/opcua.md": opcua_page,
    "reference/drivers.md": drivers_page,
    "reference/command-states.md": states_page,
    "reference/safeguards.md": safeguards_page,
    "reference/simulator-faults.md": simulator_page,
    "reference/simulator-served.md": served_page,
    "reference/simulated-devices.md": devices_page,
    "reference/http.md": http_page,
    "reference/openadr-mapping.md": mapping_page,
    "reference/platform-api.md": platform_page,
    "reference/link-health.md": links_page,
    "reference/dependencies.md": dependencies_page,
    "adr/README.md": decisions_page,
    "img/command-states.svg": states_svg,
    "../sim/nodeset/gridctl.feeder.NodeSet2.xml": nodeset,
}
