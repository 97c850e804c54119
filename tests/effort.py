"""How many examples the property tests try.

The numbers in the tests are those of `make test`. `EFFORT=10` in the environment has ten times as
many tried, as `make properties` does, and `EFFORT=0.2` a fifth, as on each other Python: mistakes
in logic show on the first.
"""

import os

EFFORT = float(os.environ.get("EFFORT", "1"))


def examples(number: int = 100) -> int:
    """The number to try, of as many as a property is usually tried with."""
    return max(1, round(number * EFFORT))
