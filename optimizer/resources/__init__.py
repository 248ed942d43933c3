"""What each kind of resource can do: one file a kind, and none knows another.

Each file has the same four functions, held to one contract suite
(`tests/contracts/test_resource_contract.py`):

- `unusable(resource, state, grid)`: why it may not be planned with, or None;
- `default_kw(resource)`: the setpoint at which nothing is asked of it;
- `block(resource, state, grid)`: its columns, bounds and rules in the linear programme;
- `injection_kw(resource, state, grid, setpoint_kw)`: by how much a series of setpoints lowers the
  import at its terminals, interval by interval; computed apart from the linear programme, so that a
  plan can be checked without it.

`hvac`, `water_heater` and `ev` say what a load group of such appliances puts up with (`comfort`)
and what comes back after its runs (`rebound`); `precool` what it draws ahead of them, `cancelling`
which announced ones it takes back; `depth` how a battery wears; `reactive` what an inverter gives
besides kW.
Regulators and capacitors that a plan moves are `optimizer.tap_steps`.
"""
