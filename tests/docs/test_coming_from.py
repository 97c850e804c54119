"""The pages for those who come from elsewhere: the names of what there is here, and their files.

The files for make, doit and Snakemake are run where these are installed. Those for GitHub Actions,
Buildbot, Dagster and Prefect need a server: they are compared with the documentation by hand.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import pycurrent
import pycurrent.testing
import pycurrent.web
from pycurrent.plugins import command, docker, fs, git, github, slack, ssh

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "reference.md").read_text()
PLUGINS = {
    "command": command,
    "docker": docker,
    "fs": fs,
    "git": git,
    "github": github,
    "slack": slack,
    "ssh": ssh,
}
TYPES = {"str", "dict", "None"}


def ours(page: str) -> list[str]:
    """The names in the second column of the page's tables."""
    rows = re.findall(r"^\|[^|]*\|([^|]*)\|", (DOCS / page).read_text(), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def exists(name: str) -> bool:
    """True if a reader of the page can use the name as it stands there."""
    if name in TYPES:
        return True
    if name.startswith("pycurrent client "):
        word = name.removeprefix("pycurrent client ")
        return re.search(rf"^\| `{word}\b", REFERENCE, re.MULTILINE) is not None
    if name.startswith("pycurrent "):
        return f"`{name}" in REFERENCE
    first, *rest = name.removeprefix("@").partition("(")[0].split(".")
    homes = [pycurrent, pycurrent.testing, pycurrent.web]
    if first in PLUGINS and rest:
        homes = [PLUGINS[first]]
        first, *rest = rest
    home = next((home for home in homes if first in home.__all__), None)
    return home is not None and all(has(getattr(home, first), member) for member in rest)


def has(of: object, member: str) -> bool:
    """True if it has the member, be it one of its instances only."""
    known = {field.name for field in fields(of)} if is_dataclass(of) else set()
    return hasattr(of, member) or member in known or f"`.{member}`" in REFERENCE


SHOP = """
import unittest


class Sum(unittest.TestCase):
    def test_sum(self) -> None:
        self.assertEqual(1 + 1, 2)
"""
FILES = {"make": "Makefile", "doit": "dodo.py"}
"""In the order of the page, whose third, for Snakemake, was run by hand: it needs 50 packages."""


def shop(folder: Path) -> dict[str, str]:
    """Make what the page's pipeline works on. Gives the environment, with both Pythons."""
    bin, source = folder / "bin", folder / "shop"
    bin.mkdir()
    source.mkdir()
    for python in ("python3.12", "python3.13"):
        (bin / python).write_text('#!/bin/sh\nexec python3 "$@"\n')
        (bin / python).chmod(0o755)
    (source / "test_shop.py").write_text(SHOP)
    (source / "build.sh").write_text("tar --create --file made.tar *.py && echo made.tar\n")
    return {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"}


@pytest.mark.parametrize("tool", FILES)
def test_their_file_does_it(tool: str, tmp_path: Path) -> None:
    """Test, build and deploy the shop; a second run does no test again."""
    own = Path(sys.executable).parent
    program = shutil.which(tool, path=f"{own}:{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{tool} is not installed: it comes with the group bench")
    environment = shop(tmp_path)
    section = (DOCS / "coming-from.md").read_text().partition("## make, doit, Snakemake")[2]
    blocks = re.findall(r"^```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    text = blocks[list(FILES).index(tool)].replace("/srv/shop.tar", str(tmp_path / "shop.tar"))
    (tmp_path / "shop" / FILES[tool]).write_text(text)
    ran = []
    for _ in range(2):
        done = subprocess.run(
            [program],
            cwd=tmp_path / "shop",
            env=environment,
            input="yes\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        ran.append((done.stdout + done.stderr).count("Ran 1 test"))
    assert (tmp_path / "shop.tar").is_file()
    assert ran[1] == 0


@pytest.mark.parametrize("page", ["coming-from.md", "coming-from-ocurrent.md"])
def test_names(page: str) -> None:
    """Each name that a table gives for one of theirs can be used."""
    names = ours(page)
    assert names
    assert [name for name in names if not exists(name)] == []


@pytest.mark.parametrize("name", ["nothing", "git.nothing", "Job.nothing", "pycurrent nothing"])
def test_what_is_not_there(name: str) -> None:
    """A name that is not there is found out."""
    assert not exists(name)
