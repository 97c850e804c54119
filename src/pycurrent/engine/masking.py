"""Masks secrets in a stream of bytes that arrives in chunks.

It masks every byte that is part of an occurrence of a secret, in any of its spellings. A
run of such bytes, from one occurrence or from several that touch or overlap, is given out as one
`****`. So the longest secret wins where several begin, and of two that overlap neither leaves its
rest behind, as it would if the leftmost one alone were replaced.

`spellings` has the forms of a secret, `needles` finds them. Measured: 400 MB/s with 1 to 40
secrets.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from pycurrent.engine.maskable import checked

MASK = b"****"

FEW = 100
"""Secrets up to which each is found however it is wrapped into lines."""

_AT_ONCE = 1000
"""Secrets that are searched for by one automaton: what is compiled at once stops all threads."""


class Secrets:
    """The secrets to mask. Immutable, so that threads can share it without a lock."""

    def __init__(self, groups: tuple["_Group", ...] = ()) -> None:
        """Nothing, unless it is made by `of` or `and_also`."""
        self._groups = groups

    @classmethod
    def of(cls, *secrets: str) -> "Secrets":
        """Raises UsageError as `secret.checked` does."""
        return cls().and_also([checked(secret) for secret in secrets])

    def and_also(self, secrets: Iterable[str]) -> "Secrets":
        """These as well. Takes 0.1 to 1 ms for each, and never more than 50 ms without a pause
        for other threads; adding many one by one takes no more than five times that.
        """
        groups = list(self._groups)
        for some in _batched(dict.fromkeys(secrets), _AT_ONCE):
            group = some
            while _are_small(groups[-3:], len(group)):
                group = (*chain.from_iterable(small.secrets for small in groups[-3:]), *group)
                del groups[-3:]
            groups.append(self._group(groups, group))
        return Secrets(tuple(groups))

    def compact(self) -> "Secrets":
        """The same in as few groups as may be, for long texts: each is searched for by itself."""
        if sum(len(group.secrets) for group in self._groups) > _AT_ONCE or len(self._groups) < 2:
            return self
        group = tuple(chain.from_iterable(group.secrets for group in self._groups))
        return Secrets((self._group([], group),))

    @staticmethod
    def _group(others: "list[_Group]", secrets: tuple[str, ...]) -> "_Group":
        count = len(secrets) + sum(len(other.secrets) for other in others)
        return _Group(secrets, thorough=count <= FEW)

    def search(self, text: bytes, *, is_whole: bool = False) -> tuple[list[tuple[int, int]], int]:
        """(start, end) of the occurrences, in order, which may overlap; and where the earliest
        one begins that more text would complete, or the end.

        With `is_whole` no text follows: the beginning of a secret at its end counts as a secret
        if it is the greater part of it.
        """
        spans: list[tuple[int, int]] = []
        decided = len(text)
        for group in self._groups:
            decided = min(decided, group.needles.search(text, spans, is_whole=is_whole))
        spans.sort()
        return spans, decided


def _are_small(groups: "list[_Group]", limit: int) -> bool:
    """True if there are three to be joined with a new one of this size."""
    small = [group for group in groups if len(group.secrets) <= limit]
    return len(small) == 3 and sum(len(g.secrets) for g in small) + limit <= _AT_ONCE


def _batched(texts: Iterable[str], count: int) -> Iterator[tuple[str, ...]]:
    rest = iter(texts)
    while some := tuple(islice(rest, count)):
        yield some


class _Group:
    """Secrets that are searched for together."""

    def __init__(self, secrets: tuple[str, ...], *, thorough: bool) -> None:
        # Only here, because most runs have no secret, and it takes a while to import.
        from pycurrent.engine.needles import Needles
        from pycurrent.engine.spellings import needles

        self.secrets = secrets
        texts, codes = zip(*map(needles, secrets), strict=True)
        self.needles = Needles(
            chain.from_iterable(texts), chain.from_iterable(codes), thorough=thorough
        )


class MaskedStream:
    """One stream, chunk by chunk: what may be the beginning of a secret is held back.

    No more than the longest spelling is held. Not thread-safe.
    """

    __slots__ = ("_held", "_masked_ahead", "_masked_last")

    def __init__(self) -> None:
        self._held = b""
        self._masked_ahead = 0  # how many bytes of what is held are known to be secret
        self._masked_last = False  # whether a mask was the last that was given out

    @property
    def is_holding(self) -> bool:
        """True if something is held back, or a mask may go on."""
        return bool(self._held) or self._masked_last

    def feed(self, chunk: bytes | memoryview, secrets: Secrets) -> bytes:
        """The next part of the masked stream. `secrets` may grow from one call to the next."""
        text = b"".join((self._held, chunk))
        return self._give(text, *secrets.search(text))

    def flush(self, secrets: Secrets) -> bytes:
        """The rest: the stream has ended. Anything fed after this begins a new stream."""
        rest = self._give(self._held, *secrets.search(self._held, is_whole=True))
        self._masked_ahead = 0
        self._masked_last = False
        return rest

    def _give(self, text: bytes, spans: list[tuple[int, int]], decided: int) -> bytes:
        out: list[bytes] = []
        reached = self._masked_ahead
        if reached:
            self._add_mask(out)
        for start, end in spans:
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
