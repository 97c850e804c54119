"""A command in a checkout outlives a killed engine, and so does all around it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycurrent.engine import Config
from pycurrent.files import Tree
from pycurrent.term import Ok
from pycurrent.testing import Harness

from ..repositories import Repo
from . import killable

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]


async def test_a_command_goes_on_in_its_checkout(repo: Repo, tmp_path: Path) -> None:
    """The next engine finds the checkout as it was, waits for the command, and saves its files:
    neither is run again.
    """
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    process = subprocess.Popen([sys.executable, killable.__file__, str(tmp_path)])  # noqa: ASYNC220
    try:
        await asyncio.to_thread((tmp_path / "begun").read_bytes)
    finally:
        process.kill()
        process.wait()
    async with Harness(
        lambda: killable.pipeline(tmp_path),
        state_dir=tmp_path / "state",
        config=Config(lease=killable.LEASE),
        start=datetime.now(UTC),
    ) as h:
        await h.until(lambda: h.stats.running == 1)
        await asyncio.to_thread((tmp_path / "go").write_bytes, b"")
        await h.until(lambda: isinstance(h.output, Ok), timeout=30)
        await h.settle()
        assert isinstance(h.output, Ok)
        saved = h.output.value
        assert isinstance(saved, Tree)
        assert saved.count == 1
        (build,) = h.history("command-files")
        log = h.engine.opened.log(build.job_id).path.read_text()
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert log.count("Checked out") == 1
    assert log.count("\na.txt\n") == 1
    assert log.count("\nend\n") == 1
    assert log.count("Exec: ") == 2
