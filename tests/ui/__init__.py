"""Tests of the operator console in a browser."""
