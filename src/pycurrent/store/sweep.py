"""The removal of contents that nothing names, as `gc.py` has it done."""

from collections.abc import Callable, Iterator
from typing import Protocol

#: Told of the progress in a line, often.
Progress = Callable[[str], None]
NamedContents = Callable[[int], Iterator[tuple[int, str, bool]]]
"""Gives the contents that rows name whose numbers are greater than this one: the number of the row,
the digest, and whether it is a tree's.
"""


class Sweep(Protocol):
    """Removes contents of files that no row names, or only finds them in a dry run."""

    def __call__(
        self, named: NamedContents, *, is_dry: bool, progress: Progress
    ) -> tuple[int, int]:
        """Gives how many they were, and their bytes. Raises OSError."""

    def contents_of(self, digest: str, is_tree: bool, size: int, /) -> Iterator[tuple[bytes, int]]:
        """Gives the contents that a row names, each with its bytes. Raises OSError."""
