"""docs/reference/link-health.md: what is known of a link, where it is shown, as what it is scraped."""

from __future__ import annotations

from gridctl.model.link import DIAGNOSTICS_MAX
from gridctl.web.metrics import LINK_METRICS, SITE_METRICS
from protocols.traffic import TEXT_MAX, WINDOW
from tests.docs.tables import GENERATED, table

_INTRO = f"""\
# Link health

{GENERATED}

Every driver tells the same of its link, once a second in the field agent's heartbeat. It is on the console's
screen *Links*, one row a link, more behind *More*; at `GET /api/v1/links`; and as metrics at `GET /metrics`.
What a driver cannot know is absent, never zero. Counters begin with the driver: a restart or a reload of its
link sets them back, which Prometheus understands.

`/metrics` asks for the bearer token of `web.metrics_token_file`; without one it answers to this machine only.
There is no series per point: a site with 50,000 points has as many series as one with fifty."""

_SCRAPE = """\
```yaml
scrape_configs:
  - job_name: gridctl
    authorization: {credentials_file: gridctl.token}
    static_configs: [{targets: ["console.example:8443"]}]
    scheme: https
```"""

_ALERTS = """\
## Worth an alert

| condition | means |
|---|---|
| `gridctl_link_up == 0` for 1 min | the device is not usable; the console alarms after 5 s |
| `increase(gridctl_link_reconnects_total[10m]) > 3` | a link that comes and goes: cabling, a second master, a peer that throws us out |
| `gridctl_link_certificate_expiry_timestamp_seconds - time() < 30 * 86400` | renew it, then `gridctl points reload`: only that link restarts |
| `increase(gridctl_link_protocol_errors_total[10m]) > 0` | the peer speaks otherwise than it should, or somebody tries |
| `sum by (link) (gridctl_points{validity!="good"}) > 0` for 5 min | values nobody should plan with |
| `gridctl_field_connected == 0` | the office plans nothing and commands nothing |"""

_OWN = f"""\
## The protocol's own words

At most {DIAGNOSTICS_MAX} more lines, each at most {TEXT_MAX} characters, stand behind *More*: internal indications,
decoder and session of a [DNP3](dnp3.md) link; session, subscription and server state of an [OPC UA](opcua.md) link.
Round trips are of the last {WINDOW} requests."""


def links_page() -> str:
    """The whole page."""
    heads = ("metric", "type", "what")
    rows = [
        (f"`{m.name}{'_total' if m.kind == 'counter' else ''}`", m.kind, m.help)
        for m in LINK_METRICS
    ]
    site = [(f"`{name}`", kind, text) for name, (kind, text) in SITE_METRICS.items()]
    return (
        "\n\n".join(
            (
                _INTRO,
                _SCRAPE,
                "## One sample a link\n\nLabel `link`.\n\n" + table(heads, rows),
                "## The rest\n\n" + table(heads, site),
                _OWN,
                _ALERTS,
            )
        )
        + "\n"
    )
