"""OpenADR 3.1: demand events over HTTP."""
