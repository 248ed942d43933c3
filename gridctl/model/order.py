"""What may come down the link from the office to the field: a signed order, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gridctl.model.canonical import canonical_json
from gridctl.model.command import Command
from gridctl.model.envelope import Promotion
from gridctl.model.tag import Tag

COMMANDS_PER_ORDER_MAX = 64


class OrderKind(StrEnum):
    """DISPATCH carries commands; STOP forbids all that follow until RESUME; DEFAULT returns every
    leased device to its default; ACKNOWLEDGE tells a device that a person has seen one of its own
    alarms; TAG and UNTAG hang a tag on a device and take it away (SG-26). Only DISPATCH carries
    commands."""

    DISPATCH = "dispatch"
    STOP = "stop"
    RESUME = "resume"
    DEFAULT = "default"
    ACKNOWLEDGE = "acknowledge"
    TAG = "tag"
    UNTAG = "untag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A bounded set of commands, admitted once, in sequence, inside its validity.

    `epoch` fences an office that lost its lease; `sequence` must be greater than every one seen
    in this epoch; `plan_digest` is what the approvers approved; `approved_by` their names;
    `limits_digest` the limits that the office planned with. Times in grid seconds. `link`,
    `subject`, `comment`: of an ACKNOWLEDGE, whose alarm, which one, and the person's words.
    `tag`: of a TAG or UNTAG. `standing`: the promotions by which nobody had to approve this very
    plan (SG-37), one for each area that a DISPATCH moves; none: people have.
    """

    mrid: str
    kind: OrderKind
    epoch: int
    sequence: int
    plan: str
    plan_digest: str
    limits_digest: str
    approved_by: tuple[str, ...]
    not_before_s: float
    not_after_s: float
    commands: tuple[Command, ...]
    link: str = ""
    subject: str = ""
    comment: str = ""
    tag: Tag | None = None
    standing: tuple[Promotion, ...] = ()

    def signed_bytes(self) -> bytes:
        """What the Ed25519 signature covers: the canonical JSON of every field."""
        return canonical_json(self)
