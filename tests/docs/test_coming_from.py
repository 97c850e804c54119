"""The pages for those who come from elsewhere name what there is here."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import pycurrent
import pycurrent.testing
import pycurrent.web
from pycurrent.plugins import command, docker, fs, git, slack, ssh

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "reference.md").read_text()
PLUGINS = {"command": command, "docker": docker, "fs": fs, "git": git, "slack": slack, "ssh": ssh}
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
