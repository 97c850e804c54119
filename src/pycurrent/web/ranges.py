"""Ranges of bytes (RFC 9110, 14): the part of something that a client asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pycurrent.web.problems import problem

_RANGE = re.compile(r"bytes=(\d{1,15})?-(\d{1,15})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `begin` to before `end`, of `size`."""

    begin: int
    end: int
    size: int
    is_all: bool
    """True if no range was asked for."""

    @property
    def status(self) -> int:
        return 200 if self.is_all else 206

    @property
    def headers(self) -> dict[str, str]:
        """Of an answer that has them."""
        found = {"Accept-Ranges": "bytes", "Content-Length": str(self.end - self.begin)}
        if not self.is_all:
            found["Content-Range"] = f"bytes {self.begin}-{self.end - 1}/{self.size}"
        return found


def asked_span(header: str | None, size: int, what: str) -> Span | None:
    """The span that a header `Range` asks for; None for none, and for several, which we need not
    obey. Raises a problem (416) if there is nothing in it: then it says how large `what` is.
    """
    asked = None if header is None else _RANGE.fullmatch(header.strip())
    if asked is None or asked.group(0) == "bytes=-":
        return None
    first, last = asked.groups()
    if first is None:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), size if last is None else min(int(last) + 1, size)
    if begin >= end:
        refused = problem(416, f"the {what} has {size} bytes")
        refused.headers = {"Content-Range": f"bytes */{size}"}
        raise refused
    return Span(begin, end, size, is_all=False)
