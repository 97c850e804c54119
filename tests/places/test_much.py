"""Much output of durable commands, at each place."""

from __future__ import annotations

import hashlib
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.cache import builder
from pycurrent.engine import AnyPool, Config, Job, Level
from pycurrent.term import Failed, Ok
from pycurrent.testing import Harness

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.full_size,
    pytest.mark.every_place,
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]

BLOCK = 1_000_000
GIGABYTE = 1_000_000_000
PRINTS = f"""
import os
for number in range({GIGABYTE // BLOCK}):
    data = (b"%09d " % number).ljust(99, b".") + b"\\n"
    data *= {BLOCK // 100}
    while data:
        data = data[os.write(1, data):]
"""
SECONDS = 10
LIVE = f"""
import os, sys, time
log, begun, printed = sys.argv[1], time.monotonic(), []
for tenth in range({SECONDS * 10}):
    lines = b"".join(b"%09d\\n" % number for number in range(tenth * 1000, tenth * 1000 + 1000))
    os.write(1, lines)
    printed.append(10 * 1000 * (tenth + 1))
    time.sleep(max(0, begun + (tenth + 1) / 10 - time.monotonic()))
    # All that was printed a second ago is in the log, which is longer by the lines of the engine.
    if tenth >= 10 and os.stat(log).st_size < printed[tenth - 10]:
        sys.exit(f"{{os.stat(log).st_size}} of {{printed[tenth - 10]}} bytes are there")
"""


async def logged(pool: AnyPool | None, folder: Path, script: str, *, live: bool) -> Path:
    """The log of a durable job at this place."""

    @builder("prints", level=Level.HARMLESS, pool=pool, durable=True)
    async def prints(job: Job) -> str:
        words = [str(job.log_path)] if live else []
        await job.exec([sys.executable, "-c", script, *words], show=["prints"])
        return "done"

    config = Config(lease=timedelta(minutes=1))
    async with Harness(prints, state_dir=folder / "state", config=config) as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=500)
        assert h.output == Ok("done")
    (log,) = (folder / "state" / "job").glob("*/*.log")
    return log


async def test_a_log_of_a_gigabyte_has_each_byte(pool: AnyPool | None, tmp_path: Path) -> None:
    """Between the engine's own lines at its beginning and its end."""
    log = await logged(pool, tmp_path, PRINTS, live=False)
    expected, found = hashlib.sha256(), hashlib.sha256()
    for number in range(GIGABYTE // BLOCK):
        expected.update(((b"%09d " % number).ljust(99, b".") + b"\n") * (BLOCK // 100))
    with log.open("rb") as file:
        begin = file.read(1 << 16).index(b"\n" + b"0" * 9 + b" ") + 1
        file.seek(begin)
        for _ in range(GIGABYTE // BLOCK):
            found.update(file.read(BLOCK))
        rest = file.read()
    assert found.digest() == expected.digest()
    assert all(line.startswith(b"20") for line in rest.splitlines()), rest[:1000]
    os.unlink(log)  # noqa: PTH108 - folders of tests are kept


async def test_many_lines_a_second_are_in_the_log_within_a_second(
    pool: AnyPool | None, tmp_path: Path
) -> None:
    """10,000 of them; the command looks for itself."""
    log = await logged(pool, tmp_path, LIVE, live=True)
    lines = [line for line in log.read_bytes().splitlines() if not line.startswith(b"20")]
    assert lines == [b"%09d" % number for number in range(SECONDS * 10_000)]
