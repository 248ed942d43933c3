"""API and operator console."""
