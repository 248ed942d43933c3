"""The hands: they speak DNP3 and OPC UA, and know nothing of plans, people or databases."""
