"""What the will needs from others, and the face that it shows to people.

Each port is fulfilled by the real thing (`gridctl.store`, `optimizer.worker` through
`gridctl.assembly`, `gridctl.link`); a fake in tests passes the same contract suite.
"""

from gridctl.control.ports.desk import (
    CycleView,
    Desk,
    EffectView,
    HeldPlan,
    Person,
    Picture,
    PlanView,
    ResourceView,
    TagView,
)
from gridctl.control.ports.line import FieldLink, Planner
from gridctl.control.ports.memory import Dossiers, ForecastRecords, Store, Transaction
from gridctl.model.record import (
    AuditEntry,
    AuditRow,
    ChainCheck,
    CommandRow,
    EventRow,
    EvidenceRow,
    StoredPlan,
)

__all__ = [
    "AuditEntry",
    "AuditRow",
    "ChainCheck",
    "CommandRow",
    "CycleView",
    "Desk",
    "Dossiers",
    "EffectView",
    "EventRow",
    "EvidenceRow",
    "FieldLink",
    "ForecastRecords",
    "HeldPlan",
    "Person",
    "Picture",
    "PlanView",
    "Planner",
    "ResourceView",
    "Store",
    "StoredPlan",
    "TagView",
    "Transaction",
]
