"""The names that authors may have meant."""

from __future__ import annotations

import pytest

import pycurrent
from pycurrent.plugins import docker, git
from pycurrent.term.near_names import meant, near


@pytest.mark.parametrize(
    ("name", "found"),
    [("Build", "Builder"), ("publsher", "publisher"), ("LEVEL", "Level"), ("xyz", None)],
)
def test_the_most_similar_name(name: str, found: str | None) -> None:
    """In the same letters if there is one, else in any; None if nothing is like it."""
    assert near(name, ["builder", "Builder", "publisher", "Level"]) == found


def hint(code: str) -> str:
    """What is said of the error of a piece of code."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        exec(code, {"git": git, "docker": docker, "pycurrent": pycurrent})
    return meant(raised.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("pycurrent.constnat", ". Did you mean: 'constant'?"),
        ("from pycurrent import Currnet", ". Did you mean: 'Current'?"),
        ("from pycurrent.plugins import gitt", ". Did you mean: 'git'?"),
        ("git.clon", ". Did you mean: 'clone'?"),
        ("'a'.stripp()", ". Did you mean: 'strip'?"),
        ("value = 1\nvalu", ". Did you mean: 'value'?"),
        ("json.dumps(1)", ". Did you forget to import 'json'?"),
        ("frobnicate()", ""),
        ("raise AttributeError('nothing is known of it')", ""),
        ("raise ImportError", ""),
        ("raise TypeError(\"'module' object is not callable\")", ""),
        ("None()", ""),
    ],
)
def test_a_hint_for_a_name(code: str, said: str) -> None:
    """For attributes, names and imports."""
    assert hint(code) == said


def test_a_plugin_tells_its_names() -> None:
    """If none of them is like it: they are few, and the modules in it are not for authors."""
    assert hint("docker.xyz") == ": it has DEFAULT, Auth, Context, Image"


class Broken:
    def __dir__(self) -> list[str]:
        raise RuntimeError


def test_an_object_that_can_not_tell_its_names() -> None:
    """The error is what counts."""
    assert meant(AttributeError("x", name="x", obj=Broken())) == ""
