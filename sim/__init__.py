"""The mirror: a feeder that talks like a feeder. Never part of a production installation."""
