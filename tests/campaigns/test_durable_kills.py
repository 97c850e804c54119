"""The campaign on durable jobs, at a small size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from . import durable_kills

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]

SMALL = "--jobs 5 --kills 6 --upgrades 2 --pause 1 --seconds 3 --seed 1"


@pytest.mark.parametrize("at", [[], ["--at", "ssh"]], ids=["here", "ssh"])
def test_durable_jobs_go_on_whatever_becomes_of_their_engine(at: list[str]) -> None:
    """None is run again, no line is lost or doubled, and no process is left."""
    campaign = [sys.executable, str(Path(durable_kills.__file__)), *SMALL.split(), *at]
    ended = subprocess.run(campaign, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "all that was promised has held" in ended.stdout
