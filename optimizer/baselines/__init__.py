"""What a customer would have drawn without the event: baselines, their errors, settlement runs."""
