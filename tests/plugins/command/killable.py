"""A pipeline that runs a command in a checkout. As a script it runs it, until it is killed.

killable.py FOLDER

`FOLDER/repo` is a repository. The command notes in `FOLDER/ran` that it runs, says so in the FIFO
`begun`, and goes on when something is written to the FIFO `go`.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from pycurrent.engine import Config
from pycurrent.facade import Engine
from pycurrent.files import Tree
from pycurrent.plugins import command, git
from pycurrent.term import Current

LEASE = timedelta(seconds=30)
LINE = 'echo ran >> "$1/ran"; ls; mkdir out; echo > "$1/begun"; cat "$1/go"; cp a.txt out; echo end'


def pipeline(folder: Path) -> Current[Tree]:
    head = git.Local(folder / "repo").head_commit()
    return command.run(head, ["sh", "-c", LINE, "sh", str(folder)], outputs="out/**")


async def main(folder: Path) -> None:
    config = Config(lease=LEASE)
    async with Engine(
        lambda: pipeline(folder), state_dir=folder / "state", config=config
    ) as engine:
        await engine.settled()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
