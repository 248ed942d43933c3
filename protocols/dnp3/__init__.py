"""DNP3 (IEEE 1815): our master, on yadnp3 (opendnp3)."""
