"""gridctl: the office. It decides, asks and records; it never speaks to a wire itself."""

__version__ = "0.1.0"
