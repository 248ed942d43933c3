"""The devices of the mirror: each obeys its setpoint with dynamics of its own, in grid time."""
