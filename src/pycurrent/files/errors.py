"""The ways in which files can't be kept, or given back."""

from __future__ import annotations

from pycurrent.errors import PycurrentError


class FilesError(PycurrentError):
    """Files can't be saved or placed, because of what they are or where they are to go."""


class Stopped(Exception):
    """Nobody wants the work any more: it was told to stop."""


class FilesLost(PycurrentError):
    """Content that was kept is missing from the store, or damaged.

    `digest` is that of the tree or file which was asked for, by which its maker is known.
    """

    def __init__(self, digest: str, what: str, how: str) -> None:
        super().__init__(f"{what} is {how}: it was kept, and is lost")
        self.digest = digest
        self.what = what
        self.how = how
        """`missing` or `damaged`."""
