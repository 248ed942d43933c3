"""What the measurements say of the equipment: temperatures, ageing, counters, voltage statistics.

No failure probability: there is no failure data behind it. Life used is that of the insulation.
"""
