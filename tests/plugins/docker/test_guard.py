"""What ends a container with whatever has started it, where the engine is not as fast as that.

With a `docker` that says of the container what the test wants: such moments can't be had from a
real one.
"""

import os
import subprocess
from pathlib import Path

import pytest

from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import guard

DOCKER = """\
#!/bin/sh
echo "$1" >> calls
case "$1" in
    start) exit 141 ;;
    container) [ -s states ] || exit 1; head -n 1 states; sed -i 1d states ;;
esac
"""


@pytest.mark.parametrize(
    ("states", "rounds"),
    [
        (["created", "created", "running"], 2),  # it was just being started
        (["running", "running"], 1),
        (["running", "running", "dead", "removing"], 3),  # the engine takes its time
        (["exited"], 0),
        (["createdno such command"], 0),  # the job asks for that error
        ([], 0),  # the engine is gone, or the container
    ],
)
def test_a_container_that_cant_be_attached_to_is_ended_until_it_is_gone(
    tmp_path: Path, states: list[str], rounds: int
) -> None:
    """Though an engine that is asked to stop what it is just starting does nothing."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "states").write_text("".join(f"{state}\n" for state in states))
    run = subprocess.run(
        [*guard(Client(), "name"), "docker", "start", "--attach", "name"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    assert run.returncode == 141
    calls = (tmp_path / "calls").read_text().split()
    assert [call for call in calls if call != "container"] == ["start", *["stop", "rm"] * rounds]
