"""Listings of trees that were not written by us."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.files import FilesError
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, entries_in, listing_text
from pycurrent.files.names import check_path, check_paths


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
