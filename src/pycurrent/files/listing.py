"""The listing of a tree: what is in it, in a form that is the same for the same content.

It is JSON in UTF-8, `["pycurrent tree 1", [ENTRY, ...]]`, with the entries in the order of their
paths. An entry is one of

    ["file", path, mode, size, digest]
    ["link", path, target]
    ["folder", path, mode]              only if it is empty

Paths are relative, with `/` between their names. Modes are permissions, digests those of `File`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from msgspec import Struct

from pycurrent.files.errors import FilesError
from pycurrent.files.names import check_links, check_path

_FORM = "pycurrent tree 1"


class FileEntry(Struct, frozen=True, array_like=True, tag="file"):
    """A file of a tree."""

    path: str
    mode: int
    size: int
    digest: str


class LinkEntry(Struct, frozen=True, array_like=True, tag="link"):
    """A symbolic link of a tree."""

    path: str
    target: str


class FolderEntry(Struct, frozen=True, array_like=True, tag="folder"):
    """An empty folder of a tree."""

    path: str
    mode: int


Entry: TypeAlias = FileEntry | LinkEntry | FolderEntry

_decode = msgspec.json.Decoder(tuple[str, list[Entry]]).decode
_encode = msgspec.json.Encoder().encode


def listing_text(entries: Iterable[Entry]) -> bytes:
    """The listing of these entries, in any order. Raises `FilesError` for a link that leads out."""
    ordered = sorted(entries, key=_path_of)
    check_links({one.path: one.target for one in ordered if isinstance(one, LinkEntry)})
    return _encode((_FORM, ordered))


def entries_in(text: bytes) -> list[Entry]:
    """The entries of a listing. Raises `FilesError` for one that is none of ours, or leads out."""
    try:
        form, entries = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FilesError(f"that is not the listing of a tree: {error}") from None
    if form != _FORM:
        raise FilesError(
            f"this version can't read a listing of the form {form!r}: update pycurrent"
        )
    for entry in entries:
        check_path(entry.path)
    check_links({one.path: one.target for one in entries if isinstance(one, LinkEntry)})
    return entries


def _path_of(entry: Entry) -> str:
    return entry.path
