"""The collector looks seldom and still frees cycles; threads get the lock soon."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import gc, weakref
from gridctl.interpreter import collect_seldom

class Cycle:
    def __init__(self):
        self.me = self

collect_seldom()
print(gc.isenabled(), gc.get_freeze_count() > 1_000)
gone = weakref.ref(Cycle())
kept = [[] for _ in range(30_000)]
print(gone() is None)
"""


def test_cycles_are_still_freed_and_what_was_there_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]


def test_a_thread_gets_the_lock_within_a_millisecond() -> None:
    code = (
        "import sys; from gridctl.interpreter import hand_over_often; hand_over_often(); "
        "print(sys.getswitchinterval())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.0 < float(done.stdout) <= 0.001
