"""Durable jobs that go on, at moments that can't be had from a real `docker`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Config
from pycurrent.plugins import docker
from pycurrent.term import Current, Ok
from pycurrent.testing import Harness

from .waiting import over

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]

DIGEST, ID = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
ENDED = '{"Error":"","OOMKilled":false,"Status":"exited","ExitCode":0}'
DOCKER = f"""\
#!/bin/sh
echo "$1" >> "$HERE/calls"
wait_here() {{ echo > "$HERE/begun"; cat "$HERE/go"; }}
case "$1" in
    pull) echo "Digest: {DIGEST}"; wait_here ;;
    image) wait_here >&2; echo {ID} ;;
    container)
        case "$*" in
            *WorkingDir*) echo '["/work",""]' ;;
            *"json .State"*) echo '{ENDED}' ;;
            *) echo exited ;;
        esac ;;
    cp) tar -C "$HERE/container" -c dist; wait_here >&2 ;;
    ps) case "$*" in *--quiet*) wait_here >&2 ;; esac ;;
esac
"""
PIPELINE = """\
from pycurrent import Current
from pycurrent.plugins import docker
def pipeline() -> Current[object]:
    return docker.Context().{work}
"""
PULL = 'pull("lab/base:1")'
RUN = f'run(docker.Image("{ID}"), outputs="dist/**")'


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `docker` that waits at some of its commands, and writes down all of them."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    return tmp_path


def last_engine(folder: Path, pipeline: Callable[[], Current[Any]]) -> Harness:
    """The one that goes on with what those have left that were killed."""
    return Harness(
        pipeline,
        state_dir=folder / ".pycurrent",
        config=Config(lease=timedelta(minutes=1)),
        start=datetime.now(UTC),
    )


def killed(folder: Path) -> None:
    """An engine is killed while its command waits."""
    command = [sys.executable, "-m", "pycurrent", "run", "pipeline.py", "--no-web"]
    process = subprocess.Popen(command, cwd=folder)
    try:
        (folder / "begun").read_bytes()
    finally:
        process.kill()
        process.wait()


async def test_a_pull_knows_what_docker_has_printed_to_an_earlier_engine(fake: Path) -> None:
    """Also when later commands have printed more; none of them is run again."""
    (fake / "pipeline.py").write_text(PIPELINE.format(work=PULL))
    await asyncio.to_thread(killed, fake)  # in the pull
    await asyncio.to_thread((fake / "go").write_text, "")
    await asyncio.to_thread(killed, fake)  # in the look at the image
    async with last_engine(fake, lambda: docker.Context().pull("lab/base:1")) as h:
        await asyncio.to_thread((fake / "go").write_text, "")
        await over(h)
        assert h.output == Ok(docker.Image(ID, f"lab/base@{DIGEST}"))
    assert (fake / "calls").read_text().split() == ["pull", "image"]


async def test_files_of_a_container_are_copied_once(fake: Path) -> None:
    """Engines are killed while they come, and when they are saved and gone."""
    (fake / "container" / "dist").mkdir(parents=True)
    (fake / "container" / "dist" / "made").write_text("by the container")
    (fake / "pipeline.py").write_text(PIPELINE.format(work=RUN))
    await asyncio.to_thread(killed, fake)  # in the copy
    await asyncio.to_thread((fake / "go").write_text, "")
    await asyncio.to_thread(killed, fake)  # as the container is removed
    run = docker.Context().run(docker.Image(ID), outputs="dist/**")
    async with last_engine(fake, lambda: run) as h:
        await asyncio.to_thread((fake / "go").write_text, "")
        await over(h)
        assert isinstance(h.output, Ok)
        assert (h.output.value.count, h.output.value.size) == (1, len("by the container"))
    calls = (fake / "calls").read_text().split()
    assert (calls.count("start"), calls.count("cp")) == (1, 1)
