"""The contents that a place keeps: verified, no more than it may, and never in anybody's way."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.files.archive import contents_of, pack
from pycurrent.places.agent_contents import Contents


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return Contents(str(tmp_path / "files"))


def keep(contents: Contents, folder: Path, data: bytes) -> str:
    """Keep this content; gives its digest."""
    source = folder / "source"
    source.write_bytes(data)
    contents.keep(digest_of(data), str(source))
    return digest_of(data)


def test_what_is_kept_is_taken_again(contents: Contents, tmp_path: Path) -> None:
    """As often as somebody wants it. What was never kept is not there."""
    digest = keep(contents, tmp_path, b"content")
    assert contents.has(digest)
    for number in range(2):
        assert contents.take(digest, 7, str(tmp_path / f"{number}"))
        assert (tmp_path / f"{number}").read_bytes() == b"content"
    other = digest_of(b"other")
    assert not contents.has(other)
    assert not contents.take(other, 5, str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_what_has_another_digest_is_not_kept(contents: Contents, tmp_path: Path) -> None:
    """The file may have changed on its way."""
    (tmp_path / "source").write_bytes(b"changed")
    contents.keep(digest_of(b"content"), str(tmp_path / "source"))
    assert not contents.has(digest_of(b"content"))
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


def test_what_is_damaged_is_given_to_nobody(contents: Contents, tmp_path: Path) -> None:
    """It is removed, so that it can be kept again."""
    digest = keep(contents, tmp_path, b"content")
    (tmp_path / "files" / digest[:2] / digest[2:]).write_bytes(b"damaged")
    assert not contents.take(digest, 7, str(tmp_path / "target"))
    assert not (tmp_path / "target").exists()
    assert not contents.has(digest)
    assert contents.has(keep(contents, tmp_path, b"content"))


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    """That is no failure."""
    (tmp_path / "files").write_text("in the way")
    contents = Contents(str(tmp_path / "files"))
    assert not contents.has(keep(contents, tmp_path, b"content"))
    contents.trim(0)


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=8), most=st.integers(0, 200))
def test_the_least_recently_used_go_first(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], most: int
) -> None:
    """As many as it takes, and no more."""
    folder = tmp_path_factory.mktemp("kept")
    contents = Contents(str(folder / "files"))
    digests = []
    for number, size in enumerate(sizes):
        digests.append(keep(contents, folder, bytes([number]) * size))
        path = folder / "files" / digests[-1][:2] / digests[-1][2:]
        os.utime(path, (number, number))
    contents.trim(most)
    there = [contents.has(digest) for digest in digests]
    assert there == sorted(there)
    left = sum(size for size, is_there in zip(sizes, there, strict=True) if is_there)
    assert left <= most
    gone = there.count(False)
    assert gone == 0 or left + sizes[gone - 1] > most


def test_an_archive_has_no_content_that_is_there(tmp_path: Path) -> None:
    """Other files are in it, with their digests if they are worth keeping."""
    source = tmp_path / "source"
    source.mkdir()
    data = {name: os.urandom(10_000) for name in ("here", "there")}
    for name, content in data.items():
        (source / name).write_bytes(content)
    (source / "small").write_bytes(b"small")
    found = contents_of(source, 100, Event())
    assert {name: one.digest for name, one in found.items()} == {
        name: digest_of(content) for name, content in data.items()
    }
    there = type(found["there"])(found["there"].digest, 10_000, is_there=True)
    target = io.BytesIO()
    pack(source, target, Event(), contents={**found, "there": there})
    assert data["here"] in target.getvalue()
    assert data["there"] not in target.getvalue()
    assert digest_of(data["there"]).encode() in target.getvalue()
    assert b"small" in target.getvalue()
