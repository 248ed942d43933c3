"""The OT agent: the last line before the wire. It imports nothing of the office."""
