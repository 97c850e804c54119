"""What mypy and pyright say of pipelines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = ("right.py", "wrong.py", "limits.py")

Found = dict[str, set[int]]
"""The lines of each file at which a checker reports an error."""


def mypy(tmp_path: Path, *, plugin: bool) -> Found:
    settings = "[mypy]\nstrict = True\nexplicit_package_bases = True\nnamespace_packages = True\n"
    config = tmp_path / "mypy.ini"
    config.write_text(settings + ("plugins = pycurrent.mypy_plugin\n" if plugin else ""))
    options = ["--config-file", str(config), "--cache-dir", str(tmp_path / "cache")]
    paths = [str(HERE / file) for file in FILES]
    command = [sys.executable, "-m", "mypy", *options, "--no-error-summary", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: Found = {file: set() for file in FILES}
    for file, line in re.findall(r"^\S*?(\w+\.py):(\d+): error:", done.stdout, re.MULTILINE):
        found[file].add(int(line))
    return found


def pyright() -> Found:
    paths = [str(HERE / file) for file in FILES]
    options = ["--pythonpath", sys.executable, "--pythonversion", "3.11", "--outputjson"]
    command = [sys.executable, "-m", "pyright", *options, *paths]
    # The wheel brings it along; otherwise it would be fetched.
    env = {**os.environ, "PYRIGHT_PYTHON_USE_BUNDLED_PYRIGHT": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(FILES), done.stderr
    found: Found = {file: set() for file in FILES}
    for one in report["generalDiagnostics"]:
        if one["severity"] == "error":
            found[Path(one["file"]).name].add(one["range"]["start"]["line"] + 1)
    return found


def marked(file: str, *marks: str) -> set[int]:
    """The lines of a file that have one of these marks."""
    lines = (HERE / file).read_text().splitlines()
    return {n for n, line in enumerate(lines, 1) if line.rpartition("  # ")[2] in marks}


CHECKERS: dict[str, tuple[Callable[[Path], Found], str]] = {
    "mypy": (lambda tmp_path: mypy(tmp_path, plugin=False), "plain"),
    "mypy with the plugin": (lambda tmp_path: mypy(tmp_path, plugin=True), "plugin"),
    "pyright": (lambda _: pyright(), "plain"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_mistakes_are_refused_and_nothing_else(checker: str, tmp_path: Path) -> None:
    """In strict mode; the types that come back are those of the functions."""
    check, knows = CHECKERS[checker]
    found = check(tmp_path)
    assert found["right.py"] == set()
    assert found["wrong.py"] == marked("wrong.py", "error")
    assert found["limits.py"] == marked("limits.py", knows)
