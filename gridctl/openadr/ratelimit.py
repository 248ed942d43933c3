"""How often somebody may ask: a token bucket a key, bounded in number. Pure; time comes in."""

from __future__ import annotations


class RateLimit:
    """`burst` at once, `per_s` in the long run, for each key; at most `keys_max` are remembered,
    the longest unseen are forgotten first, with their debts."""

    def __init__(self, *, per_s: float, burst: int, keys_max: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._keys_max = keys_max
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now_s: float) -> float:
        """Take one for `key` at `now_s`: 0 when it is allowed, else the seconds to wait."""
        left, seen_s = self._buckets.pop(key, (self._burst, now_s))
        left = min(self._burst, left + (now_s - seen_s) * self._per_s)
        allowed = left >= 1.0
        self._buckets[key] = (left - 1.0 if allowed else left, now_s)
        while len(self._buckets) > self._keys_max:
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if allowed else (1.0 - left) / self._per_s

    def left(self, key: str, now_s: float) -> float:
        """How many `key` may take at once now."""
        left, seen_s = self._buckets.get(key, (self._burst, now_s))
        return max(0.0, min(self._burst, left + (now_s - seen_s) * self._per_s))
