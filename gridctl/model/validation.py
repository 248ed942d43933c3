"""What belongs together: values that are held against each other as they come in (SG-12).

Numbers are those of docs/reference/vee-rules.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRule:
    """Rule 15: the point `head` is the sum of `parts` and of `loss_share` of itself, kW; `sigma_kw`
    is that of the whole sum."""

    head: str
    parts: tuple[str, ...]
    rating_kw: float
    sigma_kw: float = 0.0
    loss_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRule:
    """Rule 14: the point `kwh`, a register, counts what the point `kw` draws; `multiplier_kwh`:
    what one count of it stands for (CT x PT)."""

    kw: str
    kwh: str
    multiplier_kwh: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowersRule:
    """Rule 16: points of one place in kW, kvar, pu (of `nominal_kv`, line to line) and A."""

    kw: str
    kvar: str
    volt_pu: str
    ampere: str
    nominal_kv: float
    rating_kva: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossRules:
    """All of them, with their thresholds. `state`: rule 17 is tried, too."""

    balances: tuple[BalanceRule, ...] = ()
    registers: tuple[RegisterRule, ...] = ()
    powers: tuple[PowersRule, ...] = ()
    state: bool = True
    forecast_widths: float = 3.0
    sum_share: float = 0.002
    balance_sigmas: float = 3.0
    balance_share: float = 0.02
    consistency_share: float = 0.03


NO_CROSS_RULES = CrossRules()
