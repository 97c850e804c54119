"""For doit: each file in `in` in upper case in `out`."""

from collections.abc import Iterator
from pathlib import Path

DOIT_CONFIG = {"reporter": "zero"}


def upper(source: str, target: str) -> None:
    Path(target).write_text(Path(source).read_text().upper())


def task_upper() -> Iterator[dict[str, object]]:
    Path("out").mkdir(exist_ok=True)
    for path in sorted(Path("in").iterdir()):
        target = f"out/{path.name}"
        yield {
            "name": path.name,
            "file_dep": [str(path)],
            "targets": [target],
            "actions": [(upper, [str(path), target])],
        }
