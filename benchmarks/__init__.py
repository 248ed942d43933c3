"""Peers and us side by side, in one run, one JSON object a room: `make bench-NAME`."""
