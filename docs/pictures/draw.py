"""Draws the pictures of the documentation: `make pictures`.

`live.svg` and `pipeline.svg` show a run of `examples/local_ci.py` on a clone of this repository,
with one commit more that a check refuses, at the moment when that one has failed and two others are
running. `matrix.svg` is `examples/build_matrix.py` at its end.
"""

import asyncio
import re
import subprocess
import sys
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from rich.console import Console
from rich.text import Text

from pycurrent import Engine
from pycurrent.cli.live import picture
from pycurrent.service import EngineView

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 110

sys.path.insert(0, str(ROOT / "examples"))
from build_matrix import matrix  # noqa: E402
from local_ci import local_ci  # noqa: E402


def clone(repo: Path) -> None:
    """A clone of this repository with a commit that Ruff refuses."""
    identity = ("-c", "user.name=demo", "-c", "user.email=demo@localhost")
    subprocess.run(["git", "clone", "--quiet", ROOT, repo], check=True)
    (repo / "src" / "pycurrent" / "oops.py").write_text("import os\n")
    subprocess.run(["git", "-C", repo, "add", "."], check=True)
    subprocess.run(["git", "-C", repo, *identity, "commit", "-qm", "Oops"], check=True)


async def watch(scratch: Path) -> tuple[list[Text], str]:
    """Run until the moment has come; gives what is seen then, and the diagram."""
    repo = scratch / "pycurrent"
    engine = Engine(lambda: local_ci(repo, out=scratch / "out"), state_dir=scratch / "state")
    began = monotonic()
    come = asyncio.Event()

    def look(_: object) -> None:
        if engine.stats.failed == 1 and engine.stats.running == 2:
            come.set()

    engine.listen(look)
    async with asyncio.timeout(300), engine:
        view = EngineView(engine.opened)
        await come.wait()
        await asyncio.sleep(1)
        took = timedelta(seconds=monotonic() - began)
        overview = view.overview(limit=10)
        lines = picture(overview, name="local_ci.py", took=took, width=WIDTH, log="pycurrent log")
        return lines, engine.dot()


async def draw_matrix(scratch: Path) -> str:
    """The diagram of a small matrix, when all is done."""
    pipeline = partial(
        matrix, ("python", "python -O"), ("-m compileall -q .", "-m pydoc pycurrent")
    )
    async with Engine(pipeline, state_dir=scratch / "matrix") as engine:
        await engine.settled()
        return engine.dot()


def terminal(lines: list[Text]) -> str:
    """A picture of a terminal with these lines, in whatever font the reader has."""
    console = Console(record=True, width=WIDTH, file=StringIO())
    for line in lines:
        console.print(line, no_wrap=True, overflow="ellipsis")
    svg = console.export_svg(title="make demo", unique_id="live")
    return re.sub(r"@font-face \{.*?\n    \}\s*", "", svg, flags=re.DOTALL)


def draw(name: str, dot: str) -> None:
    with (PICTURES / name).open("wb") as picture:
        subprocess.run(["dot", "-Tsvg"], input=dot.encode(), stdout=picture, check=True)


def main() -> None:
    with TemporaryDirectory() as scratch:
        clone(Path(scratch, "pycurrent"))
        lines, dot = asyncio.run(watch(Path(scratch)))
        draw("matrix.svg", asyncio.run(draw_matrix(Path(scratch))))
    draw("pipeline.svg", dot)
    (PICTURES / "live.svg").write_text(terminal(lines))


if __name__ == "__main__":
    main()
