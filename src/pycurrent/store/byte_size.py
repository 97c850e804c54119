"""Sizes in bytes, as people write them."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]?)B?")
_UNITS = ("", "K", "M", "G", "T")


def byte_size(size: object) -> int | None:
    """The bytes that a number means, or a text such as "500M" or "2G"; None for anything else."""
    if isinstance(size, str) and (match := _SIZE.fullmatch(size)):
        return int(float(match[1]) * 1000 ** _UNITS.index(match[2].upper()))
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    return None
