"""The state of a feeder from few measurements: weighted least squares, and what contradicts it."""
