"""The mind: forecasts, solves, verifies. Pure functions around one worker process."""
