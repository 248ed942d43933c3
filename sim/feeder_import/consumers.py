"""Loads and generators of an OpenDSS circuit as consumers of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Final

from gridctl.model.network import (
    NEUTRAL,
    BranchKind,
    Connection,
    EnergyConsumer,
    EquivalentBranch,
    LoadModel,
    VoltageResponse,
)
from sim.feeder_import.circuit import Circuit, Element, Place
from sim.feeder_import.places import Places, in_order
from sim.feeder_import.report import Fate, Report
from sim.load_shapes import Profile

_MODEL: Final = {
    1: LoadModel.CONSTANT_POWER,
    2: LoadModel.CONSTANT_IMPEDANCE,
    3: LoadModel.MOTOR,
    4: LoadModel.CVR,
    5: LoadModel.CONSTANT_CURRENT,
    6: LoadModel.FIXED_Q,
    7: LoadModel.FIXED_Q_IMPEDANCE,
    8: LoadModel.ZIP,
}
_FIXED: Final = (LoadModel.FIXED_Q, LoadModel.FIXED_Q_IMPEDANCE)
_ZIP: Final = 6
_STRANGE_KV: Final = 0.25
"""A load whose rated voltage is further than this share from its bus's is pointed out."""
_GENERATOR_BAND: Final = VoltageResponse(v_min_pu=0.9, v_max_pu=1.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rating:
    """What a load draws in all, before it is shared among its branches."""

    kw: float
    kvar: float
    kv: float
    model: LoadModel
    response: VoltageResponse | None


@dataclass(slots=True)
class Consumers:
    """What the loads of a circuit became."""

    circuit: Circuit
    places: Places
    report: Report
    load_scale: float
    settled: frozenset[str] = frozenset()
    """Generators whose power was taken from a solution."""
    found: list[EnergyConsumer] = field(default_factory=list)
    neutrals: list[EquivalentBranch] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    """Load shape by consumer, with what the whole load draws as its base."""
    taken: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    """The engine's number of each load."""

    def load(self, name: str) -> None:
        """A load, as one consumer or as one for each of its branches."""
        element = self.circuit.element(name)
        rating = self._load_rating(name)
        if not self._sound(name, rating, element):
            return
        mrid = self._name(element)
        branches = list(self._branches(element, name))
        fate, why = self._answers(element, name, branches)
        made = self._consumers(element, mrid, rating, branches)
        self.found += made
        shape = next(
            (
                text
                for what in ("yearly", "daily", "duty")
                if (text := self.circuit.text(name, what))
            ),
            "",
        )
        if shape and self.circuit.text(name, "status").lower().startswith("v"):
            profile = Profile(shape=shape.lower(), base_kw=rating.kw, base_kvar=rating.kvar)
            self.profiles.update(dict.fromkeys((c.mrid for c in made), profile))
        self.report.add(name, fate, why)

    def generator(self, name: str) -> None:
        """A generator at its present power, as a consumer that draws less than nothing."""
        circuit = self.circuit
        element = circuit.element(name)
        rating = _Rating(
            kw=-circuit.number(name, "kw"),
            kvar=-circuit.number(name, "kvar"),
            kv=circuit.number(name, "kv"),
            model=LoadModel.CONSTANT_POWER,
            response=_GENERATOR_BAND,
        )
        if rating.kw == 0.0 and rating.kvar == 0.0:
            self.report.add(name, Fate.UNUSED, "gives nothing")
            return
        if self._sound(name, rating, element):
            branches = list(self._branches(element, name))
            self.found += self._consumers(element, self._name(element), rating, branches)
            why = "gives the power of the file, as a load that is negative"
            if name in self.settled:
                why = "gives what it gives in the file's solution; its own model is left out"
            self.report.add(name, Fate.APPROXIMATED, why)

    def _load_rating(self, name: str) -> _Rating:
        loads = self.circuit.dss.loads
        # By number: the engine looks a name up from the start of its list each time.
        loads.idx = self._number_of(name)
        model = _MODEL.get(int(loads.model), LoadModel.CONSTANT_POWER)
        scaled = self.circuit.text(name, "status").lower().startswith("v")
        scale = self.load_scale if scaled else 1.0
        # The engine prints this property wrong; its interface has it right.
        shares = tuple(map(float, loads.zipv)) if model is LoadModel.ZIP else ()
        return _Rating(
            kw=float(loads.kw) * scale,
            kvar=float(loads.kvar) * (1.0 if model in _FIXED else scale),
            kv=float(loads.kv),
            model=model,
            response=VoltageResponse(
                v_min_pu=float(loads.vmin_pu),
                v_max_pu=float(loads.vmax_pu),
                v_low_pu=self.circuit.number(name, "vlowpu") or 0.5,
                exponents=(float(loads.cvr_watts), float(loads.cvr_vars)),
                zip_shares=(shares[0], shares[1], shares[2], shares[3], shares[4], shares[5])
                if len(shares) >= _ZIP
                else None,
                dropout_pu=shares[_ZIP] if len(shares) > _ZIP else 0.0,
            ),
        )

    def _number_of(self, name: str) -> int:
        if not self.numbers:
            names = self.circuit.dss.loads.names
            self.numbers |= {str(n).lower(): i for i, n in enumerate(names, start=1)}
        return self.numbers[name.split(".", 1)[1].lower()]

    def _sound(self, name: str, rating: _Rating, element: Element) -> bool:
        """Whether a load can be used; refusals are told."""
        if not all(isfinite(v) for v in (rating.kw, rating.kvar, rating.kv)) or rating.kv <= 0.0:
            why = f"{rating.kv:g} kV, {rating.kw:g} kW: not a load"
        elif not element.places:
            why = "all its conductors are at earth"
        elif rating.model is LoadModel.ZIP and (
            rating.response is None or rating.response.zip_shares is None
        ):
            why = "a ZIP load without its shares (ZIPV)"
        else:
            return True
        self.report.add(name, Fate.REFUSED, why)
        return False

    def _name(self, element: Element) -> str:
        found = element.own.replace(".", "_")
        while found in self.taken:
            found += "_"
        self.taken.add(found)
        return found

    def _branches(self, element: Element, name: str) -> Iterator[tuple[Place, Place]]:
        """The two ends of each branch, as OpenDSS counts them."""
        conductors = element.terminals[0]
        phases = int(self.circuit.number(name, "phases")) or 1
        delta = self.circuit.text(name, "conn").lower().startswith(("d", "ll"))
        if not delta:
            for leg in conductors[:phases]:
                yield leg, conductors[phases] if len(conductors) > phases else (leg[0], 0)
        else:
            count = len(conductors)
            for i in range(phases):
                yield conductors[i], conductors[(i + 1) % count]

    def _answers(
        self, element: Element, name: str, branches: list[tuple[Place, Place]]
    ) -> tuple[Fate, str]:
        """What is simpler about a load here, or looks like a slip in the file; "" for nothing."""
        if self.circuit.text(name, "cvrcurve").lower() not in ("", "none"):
            return Fate.APPROXIMATED, "its CVR curve is left out"
        kv = self.places.kv(element.terminals[0][0][0])
        rated = self.circuit.number(name, "kv")
        whole = len(branches) > 1 or _between(branches[0])
        across = kv if whole else kv / sqrt(3.0)
        strange = across > 0.0 and abs(rated / across - 1.0) > _STRANGE_KV
        if strange and not self._is_split(element):
            return Fate.KEPT, f"is rated {rated:g} kV where {across:.4g} kV is: is that meant?"
        return Fate.KEPT, ""

    def _is_split(self, element: Element) -> bool:
        return element.terminals[0][0][0] in self.places.split

    def _consumers(
        self,
        element: Element,
        mrid: str,
        rating: _Rating,
        branches: list[tuple[Place, Place]],
    ) -> list[EnergyConsumer]:
        """One consumer when its branches are of one kind, else one for each."""
        bus = element.terminals[0][0][0]
        share = len(branches)
        phases = int(self.circuit.number(element.name, "phases")) or 1
        wye = not self.circuit.text(element.name, "conn").lower().startswith(("d", "ll"))
        # OpenDSS divides the rated voltage of a wye load of two or three phases by sqrt(3).
        across_kv = rating.kv / sqrt(3.0) if wye and phases > 1 else rating.kv
        live = [(a, b) for a, b in branches if a != b and (a[1] > 0 or b[1] > 0)]
        made: list[EnergyConsumer] = []
        groups: dict[tuple[str, str], list[str]] = {}
        for a, b in live:
            near, far = (a, b) if a[1] > 0 else (b, a)
            letter = self.places.letter(near, element.name)
            if far[1] == 0:
                groups.setdefault(("wye", ""), []).append(letter)
                continue
            back = self.places.letter(far, element.name)
            if back == NEUTRAL:
                groups.setdefault(("wye", NEUTRAL), []).append(letter)
            elif letter == NEUTRAL:
                groups.setdefault(("wye", NEUTRAL), []).append(back)
            else:
                groups.setdefault(("delta", letter + back), []).append(in_order(letter + back))
        deltas = [key for key in groups if key[0] == "delta"]
        if len(deltas) == len(branches) == 3 and len(groups) == 3:  # noqa: PLR2004 - AB, BC, CA
            letters = in_order("".join(dict.fromkeys("".join(pair for _, pair in deltas))))
            groups = {("delta", letters): [letters] * 3}
        for k, ((connection, back), letters_of) in enumerate(groups.items()):
            delta = connection == "delta"
            count = len(letters_of)
            phases_text = letters_of[0] if delta else in_order("".join(letters_of))
            made.append(
                EnergyConsumer(
                    mrid=mrid if len(groups) == 1 else f"{mrid}_{k + 1}",
                    node=bus,
                    phases=phases_text,
                    connection=Connection.DELTA if delta else Connection.WYE,
                    model=rating.model,
                    kw=(rating.kw / share,) * count,
                    kvar=(rating.kvar / share,) * count,
                    nominal_kv=across_kv if delta else across_kv * sqrt(3.0),
                    neutral="" if delta else back,
                    response=rating.response,
                )
            )
        self._neutral(element, mrid)
        return made

    def _neutral(self, element: Element, mrid: str) -> None:
        """The impedance between a load's neutral and earth, where the file gives one."""
        if element.kind != "load":
            return
        r, x = (self.circuit.number(element.name, what) for what in ("rneut", "xneut"))
        last = element.terminals[0][-1]
        if r < 0.0 or (r == 0.0 and x == 0.0) or last[1] == 0:
            return
        siemens = 1.0 / complex(r, x)
        self.neutrals.append(
            EquivalentBranch(
                mrid=f"{mrid}_neutral",
                kind=BranchKind.REACTOR,
                terminals=((last[0], self.places.letter(last, element.name)),),
                g_s=((siemens.real,),),
                b_s=((siemens.imag,),),
            )
        )


def _between(branch: tuple[Place, Place]) -> bool:
    """Whether a branch lies between two live conductors, none of them a neutral."""
    return branch[0][1] not in (0, 4) and branch[1][1] not in (0, 4)
