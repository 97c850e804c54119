"""Fingerprints: failures with one cause have the same one, whatever differs from run to run.

The normal form of a message is the message without its variable parts: numbers, durations, dates,
hashes, UUIDs, paths, addresses and temporary names each become `…`. Words stay, as do names that
have digits in them, like `TS2322` and `x86_64`, and names of files without a folder.

The fingerprint of a normal form is that fingerprint again. Records hold digests, so a change of
these rules separates old failures from new ones: a test pins some.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

MARK = "…"
"""It stands for a part, or for several that follow each other."""

LONGEST_FORM = 500
"""Characters of a normal form; the rest says nothing new."""

_LONGEST_MESSAGE = 1 << 14
"""In characters."""

_DIGITS_OF_DIGEST = 12

_NUMBER = r"\d++(?:[.,_]\d++){0,5}"
_UNIT = (
    r"(?:ns|us|µs|μs|ms|s|secs?|seconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?"
    r"|[kKMGT]i?[bB]|[bB]|bytes?)"
)
_IN_PATH = r"[^\s/\\:;,'\"`()<>\[\]{}|…]"

_VARIABLE = re.compile(
    rf"""
      (?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]*+://[^\s'"`<>()\[\]…]+     # an address with a scheme
    | (?<![\w+.-])[\w.+-]++@[\w-]+(?:\.[\w-]+)*(?::(?:[\w.~-]*/)*[\w.~-]+)?  # of a person, of git
    | \b[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}\b
    | (?<![\w/\\])[A-Za-z]:\\(?:{_IN_PATH}+\\?)*                  # a path of Windows
    | (?<![\w/…])(?:~|\.{{1,2}})?(?:/{_IN_PATH}+)+/?              # ./src/main.c
    | (?<!{_IN_PATH})(?<!/)(?:{_IN_PATH}++/){{2,}}{_IN_PATH}*+                # src/web/main.c
    | (?<!{_IN_PATH})(?<!/){_IN_PATH}++/{_IN_PATH}*\.\w++                    # src/main.c
    | \b(?:tmp[a-z0-9_]{{8}}|tmp\.\w{{6,10}})\b                   # by Python, by mktemp
    | \b\d{{4}}-\d\d-\d\d(?:[T\ ]\d\d?:\d\d(?:[:.]\d\d(?:[.,]\d+)?)?)?(?:Z|\ ?[+-]\d\d:?\d\d)?
    | (?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\ )?\b(?:\d\d?\ )?
      (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:\ \d\d?)?(?:\ \d{{4}})?
      \ \d\d?:\d\d(?::\d\d)?(?:\ (?:UTC|GMT))?(?:\ \d{{4}})?\b
    | \b\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d+)?\b
    | (?<![\w:])(?=[0-9a-fA-F:]*\d)(?:[0-9a-fA-F]{{0,4}}:){{2,7}}[0-9a-fA-F]{{1,4}}(?![\w:])
    | \b0x[0-9a-fA-F]+\b
    | \b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{{7,128}}\b  # a hash, or its beginning
    | (?<![\w…]){_NUMBER}\ ?{_UNIT}(?:(?:,?\ |,)?{_NUMBER}\ ?{_UNIT}){{0,5}}(?!\w)
    | (?<!\w)[-+]?{_NUMBER}(?:[eE][-+]?\d+)?(?!\w)(?:\ ?%)?
    """,
    re.VERBOSE,
)
_MARKS = re.compile(rf"{MARK}(?:[\s.,:;/x-]*{MARK})+")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Equal for failures with one cause: the normal form, and a short digest to name it by."""

    digest: str
    text: str

    def __str__(self) -> str:
        return self.digest


def fingerprint(message: str) -> Fingerprint:
    """Return the fingerprint of a failure's message. It is the same in each process and release."""
    text = _ESCAPE.sub("", message[:_LONGEST_MESSAGE])
    before = None
    # Each round but the last replaces something by less, so there is a last one.
    while text != before:
        before = text
        text = _round(text)
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return Fingerprint(digest[:_DIGITS_OF_DIGEST], text)


def _round(text: str) -> str:
    text = _VARIABLE.sub(MARK, text)
    text = _MARKS.sub(MARK, text)
    return _SPACE.sub(" ", text).strip()[:LONGEST_FORM].strip()
