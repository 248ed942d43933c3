"""A small feeder with one of everything, so that each piece can be put to the oracle by itself."""

from __future__ import annotations

from gridctl.model.network import (
    ACLineSegment,
    Connection,
    ConnectivityNode,
    EnergyConsumer,
    Feeder,
    LoadModel,
    PowerTransformer,
    ShuntCapacitor,
    Source,
    Switch,
    VoltageRegulator,
    VoltageResponse,
)

R = ((0.29, 0.10, 0.10), (0.10, 0.29, 0.10), (0.10, 0.10, 0.28))
X = ((0.65, 0.30, 0.24), (0.30, 0.64, 0.26), (0.24, 0.26, 0.66))
B = ((3.9, -1.1, -0.5), (-1.1, 3.7, -0.7), (-0.5, -0.7, 3.6))


ZIP = VoltageResponse(
    v_min_pu=0.8, v_max_pu=1.2, zip_shares=(0.3, 0.2, 0.5, 0.6, 0.3, 0.1), dropout_pu=0.5
)


def line(mrid: str, near: str, far: str, *, km: float = 0.8) -> ACLineSegment:
    """A three-phase overhead line."""
    return ACLineSegment(
        mrid=mrid,
        from_node=near,
        to_node=far,
        phases="ABC",
        length_km=km,
        r_ohm_per_km=R,
        x_ohm_per_km=X,
        b_us_per_km=B,
        rating_a=300.0,
    )


def load(
    node: str,
    kv: float,
    connection: Connection,
    model: LoadModel,
    *,
    phases: str = "ABC",
    kw: tuple[float, ...] = (90.0, 60.0, 75.0),
) -> EnergyConsumer:
    """An unbalanced load at power factor 0.89."""
    return EnergyConsumer(
        mrid=f"LD{node}{phases}",
        node=node,
        phases=phases,
        connection=connection,
        model=model,
        kw=kw,
        kvar=tuple(v / 2.0 for v in kw),
        nominal_kv=kv,
        response=ZIP if model is LoadModel.ZIP else None,
    )


def switch(mrid: str, near: str, far: str, *, is_open: bool = False) -> Switch:
    """A three-phase switch."""
    return Switch(
        mrid=mrid, from_node=near, to_node=far, phases="ABC", is_open=is_open, rating_a=200.0
    )


def regulator(mrid: str, near: str, far: str, taps: tuple[int, ...]) -> VoltageRegulator:
    """Three single-phase step regulators."""
    return VoltageRegulator(
        mrid=mrid,
        from_node=near,
        to_node=far,
        phases="ABC",
        taps=taps,
        step_pu=0.00625,
        tap_min=-16,
        tap_max=16,
        ganged=False,
        vreg_v=(120.0, 120.0, 120.0),
        band_v=2.0,
        pt_ratio=60.0,
        ct_primary_a=200.0,
        ldc_r_v=(0.0, 0.0, 0.0),
        ldc_x_v=(0.0, 0.0, 0.0),
        rating_kva=3000.0,
        delay_s=30.0,
    )


def one_of_everything(
    *,
    high: Connection = Connection.DELTA,
    low: Connection = Connection.WYE,
    loads: Connection = Connection.WYE,
    model: LoadModel = LoadModel.CONSTANT_POWER,
    bank: Connection = Connection.WYE,
    step_up: bool = False,
) -> Feeder:
    """Source - line - regulator - line - switch - transformer - line with loads on both levels."""
    far_kv = 24.9 if step_up else 4.16
    nodes = ("src", "n1", "n1r", "n2", "n3")
    return Feeder(
        mrid="onefeeder",
        name="one of everything",
        version=1,
        frequency_hz=60.0,
        source=Source(
            node="src",
            nominal_kv=12.47,
            voltage_pu=1.02,
            r1_ohm=0.05,
            x1_ohm=0.4,
            r0_ohm=0.1,
            x0_ohm=0.9,
        ),
        nodes=(
            *(ConnectivityNode(mrid=n, nominal_kv=12.47, phases="ABC") for n in nodes),
            *(ConnectivityNode(mrid=n, nominal_kv=far_kv, phases="ABC") for n in ("m1", "m2")),
        ),
        lines=(
            line("L1", "src", "n1", km=1.5),
            line("L2", "n1r", "n2", km=2.0),
            line("L3", "m1", "m2", km=0.5),
        ),
        switches=(switch("SW", "n2", "n3"),),
        transformers=(
            PowerTransformer(
                mrid="T1",
                from_node="n3",
                to_node="m1",
                phases="ABC",
                rating_kva=1000.0,
                from_kv=12.47,
                to_kv=far_kv,
                from_connection=high,
                to_connection=low,
                r_pct=1.1,
                x_pct=5.2,
            ),
        ),
        regulators=(regulator("REG", "n1", "n1r", (5, -3, 2)),),
        capacitors=(
            ShuntCapacitor(
                mrid="CAP",
                node="n2",
                phases="ABC",
                connection=bank,
                kvar=(100.0, 100.0, 100.0),
                nominal_kv=12.47,
                is_closed=True,
            ),
        ),
        consumers=(
            load("n2", 12.47, Connection.WYE, LoadModel.CONSTANT_POWER),
            load("m2", far_kv, loads, model),
            load("m1", far_kv, Connection.DELTA, model, phases="CA", kw=(40.0,)),
        ),
    )
