"""Masks secrets in a stream of bytes that arrives in chunks.

What is masked: every byte that is part of an occurrence of a secret, in any of its spellings. A
run of such bytes, from one occurrence or from several that touch or overlap, is given out as one
`****`. So the longest secret wins where several begin, and of two that overlap neither leaves its
rest behind, as it would if the leftmost one alone were replaced.

How: one search, in linear time and whatever the number of secrets, for the first bytes (the
*stems*) of all spellings; only where a stem is found are whole spellings compared. The stems and
not the spellings are searched for, because the automaton of a long secret, a private key, would
outgrow its memory and be slower by a factor of 300. Measured: 600 MB/s with 1 to 40 secrets.
"""

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any, Self
from urllib.parse import quote, quote_plus

import re2  # type: ignore[import-untyped]

from pycurrent.errors import UsageError

MASK = b"****"
SHORTEST_SECRET = 3
"""In characters. Anything shorter is found by chance all over a log."""

_STEM = 8
_SHORTEST_BASE64 = 4


def encode(text: str) -> bytes:
    """UTF-8; what `os.fsdecode` made of undecodable bytes becomes those bytes again.

    Never raises: any other lone surrogate is written as its escape.
    """
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")


def spellings(secret: str) -> frozenset[bytes]:
    """All that is masked for a secret: itself, and what common encodings make of it.

    These are: within JSON, within a URL, within a quoted shell word, and as part of a longer text
    in base64 (not if that is wrapped into lines within the secret). White space around a secret
    is not part of it. A secret of several lines is masked line by line, since logs indent and
    prefix lines; lines that are too short are left out, unless all of them are.

    Raises UsageError, which does not name the secret, if it is too short to be masked.
    """
    whole = secret.strip()
    if len(whole) < SHORTEST_SECRET:
        raise UsageError(
            f"a secret of fewer than {SHORTEST_SECRET} characters can't be masked in a log: "
            "give the whole secret, or leave it out if it is empty"
        )
    lines = [line.strip() for line in whole.split("\n")]
    parts = [line for line in lines if len(line) >= SHORTEST_SECRET] or [whole]
    return frozenset(chain(*map(_quoted, parts), _in_base64(encode(whole))))


def _quoted(text: str) -> Iterator[bytes]:
    raw = encode(text)
    yield raw
    yield encode(json.dumps(text)[1:-1])
    yield encode(json.dumps(text, ensure_ascii=False)[1:-1])
    yield quote(raw, safe="").encode()
    yield quote(raw).encode()
    yield quote_plus(raw).encode()
    yield raw.replace(b"'", b"'\"'\"'")  # as shlex.quote writes it
    yield raw.replace(b"'", b"'\\''")  # as `sh -x` prints it


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on nothing but `raw`, at its three possible alignments."""
    yield base64.b64encode(raw).rstrip(b"=")
    yield base64.urlsafe_b64encode(raw).rstrip(b"=")
    for before in range(3):
        first = -(-before * 8 // 6)
        end = (before + len(raw)) * 8 // 6
        if end - first >= _SHORTEST_BASE64:
            padded = bytes(before) + raw
            yield base64.b64encode(padded)[first:end]
            yield base64.urlsafe_b64encode(padded)[first:end]


class Secrets:
    """What is to be masked. Immutable, so that threads can share it without a lock."""

    def __init__(self, needles: frozenset[bytes]) -> None:
        """`needles`: each at least three bytes long, and at least one of them."""
        self._needles = sorted(needles)
        self._longest = max(map(len, needles))

    @classmethod
    def of(cls, secret: str) -> Self:
        """Raises UsageError as `spellings` does."""
        return cls(spellings(secret))

    def __or__(self, other: "Secrets") -> "Secrets":
        return Secrets(frozenset(chain(self._needles, other._needles)))

    @cached_property
    def _stems(self) -> Any:  # a compiled pattern of re2, which has no types
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they mean
        stems = sorted({needle[:_STEM] for needle in self._needles})
        return re2.compile(b"|".join(map(re2.escape, stems)), options)

    @cached_property
    def _by_beginning(self) -> dict[bytes, list[bytes]]:
        """The longest first, under the first bytes that even the shortest one has."""
        found: dict[bytes, list[bytes]] = {}
        for needle in sorted(self._needles, key=len, reverse=True):
            found.setdefault(needle[:SHORTEST_SECRET], []).append(needle)
        return found

    @cached_property
    def _first_bytes(self) -> re.Pattern[bytes]:
        firsts = sorted({needle[:1] for needle in self._needles})
        return re.compile(b"[" + b"".join(map(re.escape, firsts)) + b"]")

    @cached_property
    def _span_lines(self) -> bool:
        return any(b"\n" in needle for needle in self._needles)

    def occurrences(self, text: bytes) -> Iterator[tuple[int, int]]:
        """(start, end) of the longest occurrence at each start, in order; they may overlap."""
        found = self._stems.search(text)
        while found is not None:
            start = found.start()
            for needle in self._by_beginning.get(text[start : start + SHORTEST_SECRET], ()):
                if text.startswith(needle, start):
                    yield start, start + len(needle)
                    break
            found = self._stems.search(text, start + 1)

    def undecided_from(self, text: bytes) -> int:
        """Where the earliest occurrence could begin that more text would complete, or the end."""
        start = max(0, len(text) - self._longest + 1)
        if not self._span_lines:
            start = max(start, text.rfind(b"\n", start) + 1)
        for candidate in self._first_bytes.finditer(text, start):
            if self._begins_one(text[candidate.start() :]):
                return candidate.start()
        return len(text)

    def _begins_one(self, beginning: bytes) -> bool:
        # What is longer than `beginning` and starts with it sorts right behind it.
        after = bisect_right(self._needles, beginning)
        return after < len(self._needles) and self._needles[after].startswith(beginning)


class MaskedStream:
    """One stream, chunk by chunk: what may be the beginning of a secret is held back.

    Less than the longest spelling is held. Not thread-safe.
    """

    __slots__ = ("_held", "_masked_ahead", "_masked_last")

    def __init__(self) -> None:
        self._held = b""
        self._masked_ahead = 0  # how many bytes of what is held are known to be secret
        self._masked_last = False  # whether a mask was the last that was given out

    def feed(self, chunk: bytes | memoryview, secrets: Secrets) -> bytes:
        """The next part of the masked stream. `secrets` may grow from one call to the next."""
        text = b"".join((self._held, chunk))
        return self._give(text, secrets.undecided_from(text), secrets)

    def flush(self, secrets: Secrets) -> bytes:
        """The rest: the stream has ended. What is fed after this is a new stream."""
        rest = self._give(self._held, len(self._held), secrets)
        self._masked_ahead = 0
        self._masked_last = False
        return rest

    def _give(self, text: bytes, decided: int, secrets: Secrets) -> bytes:
        out: list[bytes] = []
        reached = self._masked_ahead
        if reached:
            self._add_mask(out)
        for start, end in secrets.occurrences(text):
            if start >= decided:
                break
            if start > reached:
                self._add_clear(out, text[reached:start])
            self._add_mask(out)
            reached = max(reached, end)
        if reached < decided:
            self._add_clear(out, text[reached:decided])
        self._held = text[decided:]
        self._masked_ahead = max(0, reached - decided)
        return out[0] if len(out) == 1 else b"".join(out)

    def _add_clear(self, out: list[bytes], text: bytes) -> None:
        out.append(text)
        self._masked_last = False

    def _add_mask(self, out: list[bytes]) -> None:
        if not self._masked_last:
            out.append(MASK)
        self._masked_last = True


def masked(text: bytes, secrets: Secrets) -> bytes:
    """A complete text, masked."""
    stream = MaskedStream()
    return stream.feed(text, secrets) + stream.flush(secrets)
