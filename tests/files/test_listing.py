"""Listings of trees that were not written by us."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.files import FilesError
from pycurrent.files.listing import (
    Entry,
    FileEntry,
    FolderEntry,
    LinkEntry,
    entries_in,
    listing_text,
)
from pycurrent.files.names import check_path, check_paths

MANY = 25_000
"""Entries that are not read or written in one go."""


def test_a_long_listing_is_as_its_form_says() -> None:
    """It is read and written in parts, so that other threads go on, and looks the same."""
    entries: list[Entry] = [
        FileEntry(f"{number * 7919 % MANY}", 0o644, number, f"{number:064x}")
        for number in range(MANY)
    ]
    entries += [LinkEntry("],[", '"]'), FolderEntry('],["file",', 0o700)]
    text = listing_text(entries)
    ordered = sorted(entries, key=lambda entry: entry.path)
    assert text == msgspec.json.encode(("pycurrent tree 1", ordered))
    assert entries_in(text) == ordered
    assert entries_in(listing_text([])) == []


def test_a_listing_of_another_form_is_refused() -> None:
    """Whatever its entries look like."""
    with pytest.raises(FilesError, match="can't read a listing of the form 'tree 2': update"):
        entries_in(b'["tree 2",[{"new":1}]]')


@given(paths=st.lists(st.text("a./\0\udcff", max_size=5), max_size=4))
def test_paths_are_checked_together_as_one_by_one(paths: list[str]) -> None:
    """With the same message."""
    assert refusal(lambda: check_paths(paths)) == refusal(lambda: [*map(check_path, paths)])


def refusal(check: Callable[[], object]) -> str | None:
    try:
        check()
    except FilesError as error:
        return str(error)
    return None


@pytest.mark.parametrize("digest", ["", "../../x", "z" * 64, "../" * 21 + "x", " " * 64])
def test_a_listing_names_contents_by_digests(digest: str) -> None:
    """Anything may have been saved as a file, and be taken for a listing then."""
    listing = listing_text([FileEntry("a", 0o644, 1, "0" * 64), FileEntry("b", 0o644, 1, digest)])
    with pytest.raises(FilesError, match="is not the listing of a tree"):
        entries_in(listing)


@pytest.mark.parametrize(
    "entry",
    [
        FileEntry("a", 0o4755, 1, "0" * 64),
        FileEntry("a", 0o644, -1, "0" * 64),
        FolderEntry("a", 0o2755),
    ],
)
def test_a_listing_gives_no_rights_but_permissions(entry: Entry) -> None:
    """A program that a tree holds runs as anybody who starts it."""
    with pytest.raises(FilesError, match="is not the listing of a tree"):
        entries_in(listing_text([entry]))
