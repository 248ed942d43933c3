"""The platform API, /api/v1 beside the console's routes: who takes part, dispatches, outcomes."""
