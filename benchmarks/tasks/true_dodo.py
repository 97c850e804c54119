"""For doit: `true`, 1,000 times."""

from collections.abc import Iterator

DOIT_CONFIG = {"reporter": "zero"}


def task_true() -> Iterator[dict[str, object]]:
    for number in range(1000):
        yield {"name": str(number), "actions": [["/bin/true"]]}
