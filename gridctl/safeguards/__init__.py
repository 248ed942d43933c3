"""The register of safeguards SG-01 … SG-37: what each does, where it is set, what proves it.

`gridctl check safeguards` prints it, docs/reference/safeguards.md is made from it, and a test fails
when one that is said to be in force has no test of its name. Defaults and ranges are read from the
code that enforces them. What is not there yet says so.
"""

from __future__ import annotations

from gridctl.safeguards.alarms import ALARMS
from gridctl.safeguards.approval import APPROVAL
from gridctl.safeguards.commanding import COMMANDING
from gridctl.safeguards.execution import EXECUTION
from gridctl.safeguards.gates import GATES
from gridctl.safeguards.people import PEOPLE
from gridctl.safeguards.register import Safeguard, Setting, Standing
from gridctl.safeguards.tags import TAGS

__all__ = ["NUMBERS", "REGISTER", "Safeguard", "Setting", "Standing"]

NUMBERS = range(1, 38)
REGISTER: tuple[Safeguard, ...] = (
    *COMMANDING,
    *APPROVAL,
    *GATES,
    *EXECUTION,
    *TAGS,
    *ALARMS,
    *PEOPLE,
)
