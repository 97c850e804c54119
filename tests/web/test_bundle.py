"""The files of the site: the sources, or the bundle that was made of them."""

from pathlib import Path

import pytest

from pycurrent.web.pages.modules import Modules
from pycurrent.web.pages.sources import STAMP, read_files, state_of
from pycurrent.web.pages.static import Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with a script, which another one imports, and a bundle of both."""
    write(tmp_path, "js/site.js", 'import "./part.js";')
    write(tmp_path, "js/part.js", "one()")
    write(tmp_path, "bundle/js/site.js", 'import"../chunk.js";import{a as b}from"../other.js";b()')
    write(tmp_path, "bundle/chunk.js", "one()")
    write(tmp_path, "bundle/other.js", "export{a}")
    write(tmp_path, STAMP, state_of(read_files(tmp_path)))
    return tmp_path


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def test_a_bundle_stands_for_what_it_was_made_of(folder: Path) -> None:
    """Where a page names a script, it gets the one in the bundle, and what that needs."""
    files = Files(folder)
    assert files.current("js/site.js") == "bundle/js/site.js"
    needed = Modules(files).needed_by("bundle/js/site.js")
    assert needed == ("bundle/js/site.js", "bundle/chunk.js", "bundle/other.js")


def test_only_what_pages_name_is_in_the_bundle(folder: Path) -> None:
    """The rest is by its own name what it is."""
    assert Files(folder).current("js/part.js") == "js/part.js"


@pytest.mark.parametrize("path", ["js/part.js", "js/new.js", "css/site.css"])
def test_a_bundle_of_other_sources_is_left_alone(folder: Path, path: str) -> None:
    """Who changes a script sees the change at once, without building anything."""
    write(folder, path, "two()")
    assert Files(folder).current("js/site.js") == "js/site.js"


def test_without_a_bundle_the_sources_are_served(folder: Path) -> None:
    """It is not made where there is nothing to make it with."""
    (folder / STAMP).unlink()
    assert Files(folder).current("js/site.js") == "js/site.js"
