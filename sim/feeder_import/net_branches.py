"""Lines, switches, transformers, shunts and impedances of a pandapower net.

pandapower computes one phase of a balanced net; here every branch gets three. What the file does
not say of the other sequences is assumed and told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import cos, hypot, pi, radians, sin, sqrt
from typing import Final

from gridctl.model.network import (
    PHASES,
    ACLineSegment,
    BranchKind,
    Connection,
    ConnectivityNode,
    EquivalentBranch,
    PowerTransformer,
    Switch,
)
from sim.feeder_import.net_file import NetFile, Row
from sim.feeder_import.net_zero_sequence import has_zero_sequence, of_positive, star_admittance
from sim.feeder_import.report import Fate

_ZERO_SEQUENCE: Final = 4.0
"""Where a line has no zero sequence: so many times its positive one."""
_SHORT_OHM: Final = 1e-6
_SWITCH_RX: Final = 2.0
"""r/x of a switch with an impedance, as pandapower takes it."""

Figures = Callable[..., float]
Matrix = tuple[tuple[float, ...], ...]


@dataclass(slots=True)
class NetBranches:
    """What the branches of a net became. `labels` and `kv`: name and nominal voltage of each bus;
    `placed`: the nodes of the live buses, to which `inner` adds nodes inside elements."""

    net: NetFile
    labels: dict[int, str]
    kv: dict[int, float]
    placed: list[ConnectivityNode]
    live: set[int]
    hz: float
    lines: list[ACLineSegment] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    transformers: list[PowerTransformer] = field(default_factory=list)
    equivalents: list[EquivalentBranch] = field(default_factory=list)
    inner: list[ConnectivityNode] = field(default_factory=list)

    def run(self) -> None:
        """Everything that joins buses or stands at one as an impedance."""
        self._lines()
        self._bus_switches()
        self._two_windings()
        self._three_windings()
        self._shunts()
        self._impedances()

    # ---- lines and switches -------------------------------------------------------------------

    def _lines(self) -> None:
        opened = self._open_at("l")
        for index, row in self.net.each("line", self.live, "from_bus", "to_bus"):
            of = self.net.figures("line", index)
            ends = self.labels[int(row["from_bus"])], self.labels[int(row["to_bus"])]
            away = opened.get(index, set())
            shortest = hypot(of("r_ohm_per_km"), of("x_ohm_per_km")) * of("length_km")
            if shortest / of("parallel", 1.0) < _SHORT_OHM or len(away) > 1:
                self.switch(f"line_{index}", ends, is_open=bool(away))
                why = "open at both ends" if away else "a line without impedance"
                self.net.report.add(f"line.{index}", Fate.APPROXIMATED, f"{why}: a switch here")
                continue
            if away:
                near, far = ends if int(row["to_bus"]) in away else ends[::-1]
                inner = self._inner(f"line_{index}_end", near, self.kv[int(row["from_bus"])])
                self.switch(f"line_{index}_sw", (inner, far), is_open=True)
                ends = near, inner
            self._line(index, row, of, ends)

    def _line(self, index: int, row: Row, of: Figures, ends: tuple[str, str]) -> None:
        parallel = of("parallel", 1.0)
        r1, x1 = of("r_ohm_per_km") / parallel, of("x_ohm_per_km") / parallel
        given = row.get("r0_ohm_per_km") is not None and row.get("x0_ohm_per_km") is not None
        r0 = of("r0_ohm_per_km") / parallel if given else _ZERO_SEQUENCE * r1
        x0 = of("x0_ohm_per_km") / parallel if given else _ZERO_SEQUENCE * x1
        per_nf = 2.0 * pi * self.hz * parallel * 1e-3
        c1 = of("c_nf_per_km", 0.0)
        self.lines.append(
            ACLineSegment(
                mrid=f"line_{index}",
                from_node=ends[0],
                to_node=ends[1],
                phases=PHASES,
                length_km=of("length_km"),
                r_ohm_per_km=_three(r1, r0),
                x_ohm_per_km=_three(x1, x0),
                b_us_per_km=_three(c1 * per_nf, of("c0_nf_per_km", c1) * per_nf),
                rating_a=of("max_i_ka", 0.0) * 1e3 * of("df", 1.0) * parallel or None,
            )
        )
        said = [] if given else ["zero sequence assumed as four times the positive one"]
        if of("g_us_per_km", 0.0):
            said.append("its conductance to earth is left out")
        fate = Fate.APPROXIMATED if said else Fate.KEPT
        self.net.report.add(f"line.{index}", fate, "; ".join(said))

    def _open_at(self, kind: str) -> dict[int, set[int]]:
        """Elements with an open switch, and the buses at which they have one."""
        found: dict[int, set[int]] = {}
        for row in self.net.rows("switch").values():
            if row.get("et") == kind and not row.get("closed", True):
                found.setdefault(int(row["element"]), set()).add(int(row["bus"]))
        return found

    def switch(self, mrid: str, ends: tuple[str, str], *, is_open: bool) -> None:
        """An ideal switch of three phases."""
        self.switches.append(
            Switch(
                mrid=mrid,
                from_node=ends[0],
                to_node=ends[1],
                phases=PHASES,
                is_open=is_open,
                rating_a=None,
            )
        )

    def _bus_switches(self) -> None:
        report = self.net.report
        for index, row in self.net.rows("switch").items():
            name = f"switch.{index}"
            if row.get("et") != "b":
                report.add(name, Fate.KEPT)
            elif int(row["bus"]) in self.live and int(row["element"]) in self.live:
                near, far = self.labels[int(row["bus"])], self.labels[int(row["element"])]
                z_ohm = self.net.figure("switch", index, "z_ohm", 0.0)
                if z_ohm > 0.0:
                    x_ohm = z_ohm / hypot(1.0, _SWITCH_RX)
                    bus_kv = self.kv[int(row["bus"])]
                    inner = self._inner(f"switch_{index}_z", near, bus_kv)
                    self.stretch(f"switch_{index}_r", near, inner, x_ohm * _SWITCH_RX, x_ohm)
                    near = inner
                self.switch(f"switch_{index}", (near, far), is_open=not row["closed"])
                why = f"with its {z_ohm:g} ohm, as twice the r of x" if z_ohm > 0.0 else ""
                report.add(name, Fate.KEPT, why)
            else:
                report.add(name, Fate.REFUSED, "at a bus that is left out")

    # ---- transformers -------------------------------------------------------------------------

    def _two_windings(self) -> None:
        opened = self._open_at("t")
        for index, row in self.net.each("trafo", self.live, "hv_bus", "lv_bus"):
            name = f"trafo.{index}"
            if index in opened:
                self.net.report.add(name, Fate.REFUSED, "behind an open switch")
                continue
            said = self._two_winding(index, row, self.net.figures("trafo", index))
            fate = Fate.APPROXIMATED if said else Fate.KEPT
            self.net.report.add(name, fate, "; ".join(said))

    def _two_winding(self, index: int, row: Row, of: Figures) -> list[str]:
        """A transformer; what is simpler about it."""
        parallel = of("parallel", 1.0)
        kva = of("sn_mva") * 1e3 * parallel
        vk, vkr = of("vk_percent"), of("vkr_percent")
        ratio, said = self._tap(row, of)
        high, low = of("vn_hv_kv"), of("vn_lv_kv")
        at_high = str(row.get("tap_side") or "hv") == "hv"
        high, low = (high * ratio, low) if at_high else (high, low * ratio)
        turned = round(of("shift_degree", 0.0) / 30.0) % 2
        # Without a group the shift tells: an odd number of twelfths needs a delta.
        group = str(row.get("vector_group") or ("Dyn" if turned else "YNyn")).lower()
        node = self.labels[int(row["lv_bus"])]
        r_pct, x_pct = vkr, sqrt(max(vk**2 - vkr**2, 1e-12))
        iron = of("pfe_kw", 0.0) * parallel
        total = max(of("i0_percent", 0.0) / 100.0 * kva, iron)
        ohm = (low * 1e3) ** 2 / (kva * 1e3) / 100.0
        if group.startswith("dyn") and has_zero_sequence(row):
            core = complex(iron, -sqrt(total**2 - iron**2)) * 1e3 / (low * 1e3) ** 2
            as_built = of_positive(complex(r_pct, x_pct) * ohm, core)
            more = star_admittance(row, of, ohm * 100.0, in_percent=self.net.is_new) - as_built
            self._to_earth(
                f"trafo_{index}_zero", node, _three(0.0, more.real), _three(0.0, more.imag)
            )
        else:
            said.append("zero sequence as positive; earthed where it has a star")
        if total > 0.0:
            # pandapower's T: half the leakage on each side of the iron.
            r_pct, x_pct = r_pct / 2.0, x_pct / 2.0
            outer, node = node, self._inner(f"trafo_{index}_t", node, low)
            self.shunt(f"trafo_{index}_iron", node, iron, sqrt(total**2 - iron**2), low)
            self.stretch(f"trafo_{index}_z", node, outer, r_pct * ohm, x_pct * ohm)
        self.transformers.append(
            PowerTransformer(
                mrid=f"trafo_{index}",
                from_node=self.labels[int(row["hv_bus"])],
                to_node=node,
                phases=PHASES,
                rating_kva=kva,
                from_kv=high,
                to_kv=low,
                from_connection=Connection.WYE if group[0] == "y" else Connection.DELTA,
                to_connection=Connection.DELTA if group[1:2] == "d" else Connection.WYE,
                r_pct=r_pct,
                x_pct=x_pct,
            )
        )
        return said

    def _tap(self, row: Row, of: Figures) -> tuple[float, list[str]]:
        """The ratio that a tap changer makes, as pandapower computes it, and what to tell."""
        off = of("tap_pos", 0.0) - of("tap_neutral", 0.0)
        said = []
        if row.get("tap_dependency_table"):
            said.append("its table of impedance by tap is left out")
        if row.get("tap2_pos") is not None and of("tap2_pos") != of("tap2_neutral", 0.0):
            said.append("its second tap changer is left out")
        if off == 0.0:
            return 1.0, said
        kind = row.get("tap_changer_type")
        if "tap_changer_type" in row and not kind:
            said.append(
                f"its tap stands at {of('tap_pos'):g}, but of no kind of changer: pandapower "
                "leaves it out, and so is it here"
            )
            return 1.0, said
        if kind in ("Ideal", "Tabular") or (not kind and row.get("tap_phase_shifter")):
            said.append("its phase shift is left out")
            return 1.0, said
        step, turn = off * of("tap_step_percent", 0.0) / 100.0, radians(of("tap_step_degree", 0.0))
        if turn:
            said.append("the angle of its tap changer is left out")
        return hypot(1.0 + step * cos(turn), step * sin(turn)), said

    def _three_windings(self) -> None:
        """A star of three transformers around a node of its own, as pandapower computes it."""
        sides = ("hv", "mv", "lv")
        for index, row in self.net.each("trafo3w", self.live, *(f"{side}_bus" for side in sides)):
            of, name = self.net.figures("trafo3w", index), f"trafo3w.{index}"
            if index in self._open_at("t3"):
                self.net.report.add(name, Fate.REFUSED, "behind an open switch")
                continue
            mva = {side: of(f"sn_{side}_mva") for side in sides}
            pairs = (("hv", "mv"), ("mv", "lv"), ("lv", "hv"))
            ohmic, whole = [], []
            for side, other in pairs:
                # Of the smaller of the pair; all on the high side's.
                base = mva["hv"] / min(mva[side], mva[other])
                ohmic.append(of(f"vkr_{side}_percent") * base)
                whole.append(of(f"vk_{side}_percent") * base)
            leakage = [sqrt(max(v**2 - r**2, 0.0)) for v, r in zip(whole, ohmic, strict=True)]
            # Tap of one winding as the ratio of its own voltage.
            ratio, said = self._tap(row, of)
            kv = {side: of(f"vn_{side}_kv") for side in sides}
            tapped = str(row.get("tap_side") or "hv")
            kv[tapped] *= ratio
            high = self.labels[int(row["hv_bus"])]
            star = self._inner(f"trafo3w_{index}_star", high, of("vn_hv_kv"))
            iron = of("pfe_kw", 0.0)
            total = max(of("i0_percent", 0.0) / 100.0 * mva["hv"] * 1e3, iron)
            for side, r_pct, x_pct in zip(sides, _star(ohmic), _star(leakage), strict=True):
                node, share = star, 1.0
                if side == "hv" and total > 0.0:
                    # pandapower's T: the iron amid the high side's leakage.
                    share, base_kv = 0.5, of("vn_hv_kv")
                    node = self._inner(f"trafo3w_{index}_t", high, base_kv)
                    magnetising = sqrt(total**2 - iron**2)
                    self.shunt(f"trafo3w_{index}_iron", node, iron, magnetising, base_kv)
                    ohm = base_kv**2 / mva["hv"] / 100.0 * share
                    self.stretch(f"trafo3w_{index}_z", node, star, r_pct * ohm, x_pct * ohm)
                self.transformers.append(
                    PowerTransformer(
                        mrid=f"trafo3w_{index}_{side}",
                        from_node=self.labels[int(row[f"{side}_bus"])],
                        to_node=node,
                        phases=PHASES,
                        rating_kva=mva[side] * 1e3,
                        from_kv=kv[side],
                        to_kv=of("vn_hv_kv"),
                        from_connection=Connection.WYE,
                        to_connection=Connection.WYE,
                        r_pct=r_pct * share * mva[side] / mva["hv"],
                        x_pct=x_pct * share * mva[side] / mva["hv"],
                    )
                )
            said.append("a star of three, without its phase shift")
            self.net.report.add(name, Fate.APPROXIMATED, "; ".join(said))

    # ---- impedances ---------------------------------------------------------------------------

    def stretch(self, mrid: str, near: str, far: str, r_ohm: float, x_ohm: float) -> None:
        """An impedance in each phase."""
        self.lines.append(
            ACLineSegment(
                mrid=mrid,
                from_node=near,
                to_node=far,
                phases=PHASES,
                length_km=1.0,
                r_ohm_per_km=_diagonal(r_ohm),
                x_ohm_per_km=_diagonal(x_ohm),
                b_us_per_km=_diagonal(0.0),
            )
        )

    def shunt(self, mrid: str, node: str, kw: float, kvar: float, kv: float) -> None:
        """A constant impedance to earth that draws `kw` and `kvar` at `kv`."""
        siemens = complex(kw, -kvar) * 1e3 / (kv * 1e3) ** 2
        self._to_earth(mrid, node, _diagonal(siemens.real), _diagonal(siemens.imag))

    def _to_earth(self, mrid: str, node: str, g_s: Matrix, b_s: Matrix) -> None:
        self.equivalents.append(
            EquivalentBranch(
                mrid=mrid,
                kind=BranchKind.REACTOR,
                terminals=tuple((node, phase) for phase in PHASES),
                g_s=g_s,
                b_s=b_s,
            )
        )

    def _shunts(self) -> None:
        for index, row in self.net.each("shunt", self.live, "bus"):
            of = self.net.figures("shunt", index)
            step = of("step", 1.0)
            bus = int(row["bus"])
            self.shunt(
                f"shunt_{index}",
                self.labels[bus],
                of("p_mw", 0.0) * 1e3 * step,
                of("q_mvar", 0.0) * 1e3 * step,
                of("vn_kv", self.kv[bus]),
            )
            self.net.report.add(f"shunt.{index}", Fate.KEPT)

    def _impedances(self) -> None:
        for index, row in self.net.each("impedance", self.live, "from_bus", "to_bus"):
            of, name = self.net.figures("impedance", index), f"impedance.{index}"
            near, far = int(row["from_bus"]), int(row["to_bus"])
            one_way = complex(of("rft_pu"), of("xft_pu"))
            back = complex(of("rtf_pu", one_way.real), of("xtf_pu", one_way.imag))
            if one_way != back or self.kv[near] != self.kv[far] or one_way == 0.0:
                why = "not the same from both sides, or between two voltages"
                self.net.report.add(name, Fate.REFUSED, why)
                continue
            ohm = one_way * self.kv[near] ** 2 / of("sn_mva")
            ends = self.labels[near], self.labels[far]
            self.stretch(f"impedance_{index}", *ends, ohm.real, ohm.imag)
            self.net.report.add(name, Fate.APPROXIMATED, "zero sequence as positive")

    def _inner(self, name: str, beside: str, kv: float) -> str:
        """A node of our own inside an element."""
        node = next(n for n in self.placed if n.mrid == beside)
        self.inner.append(replace(node, mrid=name, nominal_kv=kv))
        return name


def _star(delta: list[float]) -> tuple[float, float, float]:
    """Of hv-mv, mv-lv, lv-hv in a triangle: hv, mv, lv in a star."""
    one, two, three = delta
    return (one + three - two) / 2.0, (one + two - three) / 2.0, (two + three - one) / 2.0


def _three(positive: float, zero: float) -> tuple[tuple[float, ...], ...]:
    own, mutual = (zero + 2.0 * positive) / 3.0, (zero - positive) / 3.0
    return tuple(tuple(own if i == j else mutual for j in range(3)) for i in range(3))


def _diagonal(value: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(value if i == j else 0.0 for j in range(3)) for i in range(3))
