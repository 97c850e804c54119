"""Runs an example as its user would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def example(name: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    return subprocess.run(
        _command(name, arguments), cwd=cwd, capture_output=True, text=True, check=False
    )


@contextmanager
def running(name: str, *arguments: str | Path, cwd: Path) -> Iterator[Iterator[str]]:
    """Run an example for the block; gives the lines that it prints."""
    with subprocess.Popen(
        _command(name, arguments), cwd=cwd, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield iter(process.stdout.readline, "")
        finally:
            process.terminate()
            process.stdout.read()


def _command(name: str, arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
