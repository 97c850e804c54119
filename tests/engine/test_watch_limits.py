"""Inputs of files on a system that has no inotify left."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, sys
from pathlib import Path
from pycurrent.engine import FileMonitor
from pycurrent.engine.monitor_task import RETRY
from pycurrent.term import component
from pycurrent.testing import Harness

async def main(limit, folder):
    file = folder / "file"
    file.write_text("one")
    monitor = FileMonitor(read=file.read_text, paths=lambda: [file])
    limit.write_text("0")
    async with Harness(lambda: component("f", monitor.get), state_dir=folder / "state") as h:
        await h.settle()
        print(h.output)
        limit.write_text("1000")
        await h.advance(RETRY)
        print(h.output)
        file.write_text("two")
        await h.until(lambda: "two" in repr(h.output))

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.mark.parametrize(
    ("limit", "setting"),
    [
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
    ],
)
def test_a_file_is_watched_once_there_is_inotify_for_it(
    tmp_path: Path, limit: str, setting: str
) -> None:
    """Without a restart; until then the failure says which setting to raise."""
    own = ["unshare", "--user", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("limits of one's own need user namespaces")
    ended = subprocess.run(
        [*own, sys.executable, "-c", SCRIPT, f"/proc/sys/user/{limit}", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    assert first.startswith("Failed(")
    assert setting in first
    assert second == "Ok(value='one')"
