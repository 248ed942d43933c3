"""Feeders of other people: from OpenDSS and pandapower files into the project's own model."""
