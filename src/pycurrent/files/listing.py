"""The listing of a tree: what is in it, in a form that is the same for the same content.

It is JSON in UTF-8, `["pycurrent tree 1", [ENTRY, ...]]`, with the entries in the order of their
paths. An entry is one of

    ["file", path, mode, size, digest]
    ["link", path, target]
    ["folder", path, mode]              only if it is empty

Paths are relative, with `/` between their names. Modes are permissions, digests those of `File`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from pycurrent.files.errors import FilesError
from pycurrent.files.names import check_links, check_paths

T = TypeVar("T")

_FORM = "pycurrent tree 1"
_Mode: TypeAlias = Annotated[int, Meta(ge=0, le=0o777)]


class FileEntry(Struct, frozen=True, array_like=True, tag="file", gc=False):
    """A file of a tree."""

    path: str
    mode: _Mode
    size: Annotated[int, Meta(ge=0)]
    digest: Annotated[str, Meta(min_length=64, max_length=64)]


class LinkEntry(Struct, frozen=True, array_like=True, tag="link", gc=False):
    """A symbolic link of a tree."""

    path: str
    target: str


class FolderEntry(Struct, frozen=True, array_like=True, tag="folder", gc=False):
    """An empty folder of a tree."""

    path: str
    mode: _Mode


Entry: TypeAlias = FileEntry | LinkEntry | FolderEntry

_SLICE = 10_000
"""Entries that are read, sorted or written in one go, in which no other thread runs."""

_decode = msgspec.json.Decoder(tuple[str, list[Raw]]).decode
_decode_slice = msgspec.json.Decoder(list[Entry]).decode
_encode = msgspec.json.Encoder().encode


def listing_text(entries: Iterable[Entry]) -> bytes:
    """The listing of these entries, in any order. Raises `FilesError` for a link that leads out."""
    ordered = _sorted(entries)
    check_links({one.path: one.target for one in ordered if isinstance(one, LinkEntry)})
    slices = b",".join(_encode(part)[1:-1] for part in slices_of(ordered))
    return b"[%b,[%b]]" % (_encode(_FORM), slices)


def entries_in(text: bytes) -> list[Entry]:
    """The entries of a listing. Raises `FilesError` for one that is none of ours, or leads out."""
    try:
        form, raw = _decode(text)
        if form != _FORM:
            raise FilesError(
                f"this version can't read a listing of the form {form!r}: update pycurrent"
            )
        entries = [entry for part in slices_of(raw) for entry in _checked(part)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FilesError(f"that is not the listing of a tree: {error}") from None
    check_links({one.path: one.target for one in entries if isinstance(one, LinkEntry)})
    return entries


def slices_of(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many of the entries at once as keep other threads waiting for some milliseconds."""
    return (entries[at : at + _SLICE] for at in range(0, len(entries), _SLICE))


def _checked(part: Sequence[Raw]) -> list[Entry]:
    entries = _decode_slice(b"[%b]" % b",".join(part))
    check_paths([entry.path for entry in entries])
    _check_digests([entry.digest for entry in entries if isinstance(entry, FileEntry)])
    return entries


def _check_digests(digests: list[str]) -> None:
    """Raise `FilesError` unless all are digests: each is a part of a path in the store."""
    try:
        is_fine = len(bytes.fromhex("".join(digests))) == 32 * len(digests)
    except ValueError:
        is_fine = False
    if not is_fine:
        raise FilesError("that is not the listing of a tree: one of its files has no digest")


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    parts = [sorted(part, key=_path_of) for part in slices_of([*entries])]
    return sorted(chain.from_iterable(parts), key=_path_of)  # The runs are only merged.


def _path_of(entry: Entry) -> str:
    return entry.path
