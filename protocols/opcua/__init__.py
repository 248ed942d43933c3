"""The OPC UA hands: one encrypted session per link, subscribed values, judged commands."""
