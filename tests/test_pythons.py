"""`make` finds a Python that pycurrent can be developed with, whatever it is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "pythons"
NAME = f"{sys.version_info.major}.{sys.version_info.minor}"


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "name", ["python3", f"python{NAME}", f".pyenv/versions/{NAME}/bin/python3"]
)
def test_a_python_is_found_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    """One that is too old, or a shim that leads nowhere, is passed over."""
    _program(tmp_path / "python3", "exit 1")
    _program(tmp_path / "python3.14", "echo 'pyenv: python3.14: command not found' >&2; exit 127")
    found = tmp_path / name
    found.parent.mkdir(parents=True, exist_ok=True)
    _program(found, f'exec {sys.executable} "$@"')

    said = subprocess.run(
        ["/bin/sh", SCRIPT],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:{os.defpath}" if name == "python3" else str(tmp_path),
             "HOME": str(tmp_path)},
    )  # fmt: skip

    assert said.stdout.splitlines()[0].startswith(f"{NAME} /")
    assert said.stdout.count(f"{NAME} ") == 1
