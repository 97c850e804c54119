"""The mistakes of beginners: what they are told, and where.

`mistakes.md` has a pipeline for each of them, and what its author is told: the place in the file,
what is wrong there, and what to write. `...` stands for anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .commands import Command

_BLOCK = re.compile(
    r"^## ([^\n]+)\n\n```python\n(.*?)```\n\n```text\n(.*?)```$", re.MULTILINE | re.DOTALL
)
MISTAKES = {
    title: (code, said.splitlines())
    for title, code, said in _BLOCK.findall((Path(__file__).parent / "mistakes.md").read_text())
}


def output_of(run: Command, folder: Path, code: str) -> str:
    """What the author is told, by the command or, if it calls `main`, by the script itself."""
    (folder / "ci.py").write_text(code)
    if '"repo"' in code:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        commit = ["commit", "--quiet", "--allow-empty", "--message", "First"]
        subprocess.run(["git", "init", "--quiet", "repo"], check=True)
        subprocess.run(["git", "-C", "repo", *identity, *commit], check=True)
    if "current.main" in code:
        done = subprocess.run(
            [sys.executable, "ci.py", "--once"], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr
    ended = run("run", "ci.py", "--once")
    return ended.out + ended.err


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(mistake: str, pycurrent: Command, folder: Path) -> None:
    """In the words of the author, however the pipeline is run."""
    code, said = MISTAKES[mistake]
    output = output_of(pycurrent, folder, code)
    for line in said:
        pattern = ".*".join(map(re.escape, line.split("...")))
        assert re.search(pattern, output), output


def test_no_block_is_left_out() -> None:
    """Each heading has its pipeline, and what is said of it."""
    text = (Path(__file__).parent / "mistakes.md").read_text()
    assert text.count("\n## ") == len(MISTAKES)
    assert all(said for _, said in MISTAKES.values())
