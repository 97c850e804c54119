"""For pycurrent: each file in `in` in upper case in `out`."""

from pathlib import Path

import pycurrent as current
from pycurrent import Current, Job, Level


@current.builder("upper", level=Level.HARMLESS)
async def upper(job: Job, name: str, text: str) -> None:
    Path("out", name).write_text(text.upper())


def pipeline() -> Current[None]:
    Path("out").mkdir(exist_ok=True)
    return current.all(
        [upper(path.name, path.read_text()) for path in sorted(Path("in").iterdir())]
    )
