"""Durable jobs that go on, at moments that can't be had from a real `docker`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent.engine import Config
from pycurrent.plugins import docker
from pycurrent.term import Ok
from pycurrent.testing import Harness

from .waiting import over

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]

DIGEST, ID = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
DOCKER = f"""\
#!/bin/sh
echo "$1" >> "$HERE/calls"
wait_here() {{ echo > "$HERE/begun"; cat "$HERE/go"; }}
case "$1" in
    pull) echo "Digest: {DIGEST}"; wait_here ;;
    image) wait_here >&2; echo {ID} ;;
esac
"""
PIPELINE = """\
from pycurrent import Current
from pycurrent.plugins import docker
def pipeline() -> Current[object]:
    return docker.Context().pull("lab/base:1")
"""


def killed(folder: Path) -> None:
    """An engine is killed while its command waits."""
    command = [sys.executable, "-m", "pycurrent", "run", "pipeline.py", "--no-web"]
    process = subprocess.Popen(command, cwd=folder)
    try:
        (folder / "begun").read_bytes()
    finally:
        process.kill()
        process.wait()


async def test_a_pull_knows_what_docker_has_printed_to_an_earlier_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when later commands have printed more; none of them is run again."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    await asyncio.to_thread(killed, tmp_path)  # in the pull
    await asyncio.to_thread((tmp_path / "go").write_text, "")
    await asyncio.to_thread(killed, tmp_path)  # in the look at the image
    async with Harness(
        lambda: docker.Context().pull("lab/base:1"),
        state_dir=tmp_path / ".pycurrent",
        config=Config(lease=timedelta(minutes=1)),
        start=datetime.now(UTC),
    ) as h:
        await asyncio.to_thread((tmp_path / "go").write_text, "")
        await over(h)
        assert h.output == Ok(docker.Image(ID, f"lab/base@{DIGEST}"))
    assert (tmp_path / "calls").read_text().split() == ["pull", "image"]
