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
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from pycurrent.files.errors import FilesError
from pycurrent.files.names import check_links, check_paths

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
    check_paths([entry.path for entry in entries])
    _check_digests([entry.digest for entry in entries if isinstance(entry, FileEntry)])
    check_links({one.path: one.target for one in entries if isinstance(one, LinkEntry)})
    return entries


def _check_digests(digests: list[str]) -> None:
    """Raise `FilesError` unless all are digests: each is a part of a path in the store."""
    try:
        is_fine = len(bytes.fromhex("".join(digests))) == 32 * len(digests)
    except ValueError:
        is_fine = False
    if not is_fine:
        raise FilesError("that is not the listing of a tree: one of its files has no digest")


def _path_of(entry: Entry) -> str:
    return entry.path
