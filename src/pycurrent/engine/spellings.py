r"""The forms that a secret takes when programs print it: quoted, escaped, encoded, wrapped.

Two halves. `needles` gives the texts to look for: the secret, its lines, and what encodings of the
whole make of it (base64, hexadecimal ...). `readings` says what a place in a text can stand for:
`\x27`, `\u0027`, `%27`, `&#39;`, `&apos;`, `=27` and `\047` are all an apostrophe, and so is `'`
behind any number of backslashes. So ways of quoting are told once, for each character of each
needle, and may be mixed; nothing is listed for a secret as a whole.
"""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

from pycurrent.engine.encoding import encode
from pycurrent.engine.maskable import SHORTEST_SECRET

LONGEST_READING = 100
"""In bytes, at the end of a text: what is longer is taken for what it is."""

_SHORTEST_BASE64 = 4
_SHORTEST_HEX = 8
_SHORTEST_MEMBER = 8  # of the texts in a secret that is JSON: shorter ones are not secrets

_LINE_ENDS = re.compile(r"\r\n|[\r\n]|\\+r\\+n|\\+[nr]")


def needles(secret: str) -> tuple[set[bytes], set[bytes]]:
    r"""The texts to look for, each in every way in which `readings` reads it: the texts, and
    the codes, which what encodes the secret as a whole makes of it.

    White space around a secret is not part of it. A secret of several lines is looked for line by
    line, since logs indent and prefix lines; lines that are too short are left out, unless all of
    them are. It doesn't matter whether the line ends are real ones or a `\n` that was written out.
    """
    whole = secret.strip()
    wholes = {whole} if whole.isalnum() else {whole, "\n".join(_LINE_ENDS.split(whole))}
    texts = set(chain.from_iterable(map(_in_json, wholes)))
    codes = chain.from_iterable(_codes(encode(text)) for text in wholes)
    return {encode(line) for text in texts for line in _lines(text)}, set(codes)


def _lines(text: str) -> Iterator[str]:
    if text.isalnum():
        yield text
        return
    real = [line.strip() for line in re.split(r"[\r\n]+", text)]
    lines = [line for line in real if len(line) >= SHORTEST_SECRET] or [text]
    yield from lines
    for line in lines:
        if "\\" in line:
            parts = [part.strip() for part in _LINE_ENDS.split(line)]
            yield from (part for part in parts if len(part) >= SHORTEST_SECRET)


def _in_json(secret: str) -> Iterator[str]:
    """The secret, and if it is JSON itself, how else that is written, and its longer texts."""
    yield secret
    if secret[:1] not in "{[":
        return
    try:
        value = json.loads(secret)
    except (ValueError, RecursionError):
        return
    for ordered in (False, True):
        for separators in ((",", ":"), (", ", ": ")):
            yield json.dumps(value, sort_keys=ordered, separators=separators, ensure_ascii=False)
    yield repr(value)
    todo = [value]
    while todo:
        match todo.pop():
            case str(text) if len(text.strip()) >= _SHORTEST_MEMBER:
                yield text.strip()
            case dict(members):
                todo.extend(members.values())
            case list(items):
                todo.extend(items)


def _codes(raw: bytes) -> Iterator[bytes]:
    yield from _in_base64(raw)
    yield base64.b32encode(raw)[: len(raw) * 8 // 5]
    if len(raw) * 2 >= _SHORTEST_HEX:
        plain = raw.hex()
        for code in (plain, raw.hex(" "), raw.hex(":")):
            yield code.encode()
            yield code.upper().encode()


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on nothing but `raw`, at its three possible alignments."""
    for before in range(3):
        first = -(-before * 8 // 6)
        end = (before + len(raw)) * 8 // 6
        if end - first >= _SHORTEST_BASE64:
            code = base64.b64encode(bytes(before) + raw)[first:end]
            yield code
            yield code.replace(b"+", b"-").replace(b"/", b"_")
    yield base64.b64encode(raw).rstrip(b"=")
    yield base64.urlsafe_b64encode(raw).rstrip(b"=")


# The meanings of a place in a text

SPECIAL = re.compile(rb"[\\%&=+'\"\s]")
"""Where a reading other than the byte itself can begin."""

_ESCAPE = re.compile(
    rb"\\{1,64}(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|u\{([0-9a-fA-F]{1,8})\}|u([0-9a-fA-F]{4})"
    rb"|U([0-9a-fA-F]{8})|N\{([^}]{1,80})\}|([abefnrtv]))"
)
_LOW_SURROGATE = re.compile(rb"\\{1,64}u([dD][c-fC-F][0-9a-fA-F]{2})")
_MOST_BACKSLASHES = 64
_BACKSLASHES = re.compile(rb"\\+")
_HEX = re.compile(rb"[0-9a-fA-F]{2}")
_ENTITY = re.compile(
    rb"&(?:amp;){0,8}(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][0-9a-zA-Z]{1,31});?"
)
_QUOTES = re.compile(rb"'[\\'\"]{0,64}'")  # shells write an apostrophe so: '\\'' or '"'"'
_DOUBLED = re.compile(rb'"\\{0,64}"')
# As ls writes control characters.
_DOLLARS = re.compile(rb"'\$'((?:\\[0-7]{3}|\\[abefnrtv\\'])+)''")
_FOLD = re.compile(rb"[ \t]{0,8}\\?(?:\r\n?|\n)[ \t]{0,64}(?:\\ )?")
_BREAK = re.compile(
    rb"[=\\]?(?:\r\n?|\n)[ \t]{0,64}|(['\"])(?:\r\n?|\n)[ \t]{0,64}[bBuU]?\1"
    rb"|(?:\\{1,64}r)?\\{1,64}n|(?:%0[dD])?%0[aA]|(?:&#(?:13|x[dD]);)?&#(?:10|x[aA]);"
)
_OPEN = re.compile(
    rb"\\{1,64}(?:x[0-9a-fA-F]?|[0-7]{1,2}|u[0-9a-fA-F]{0,3}|u\{[0-9a-fA-F]{0,8}"
    rb"|U[0-9a-fA-F]{0,7}|N(?:\{[^}]{0,80})?|r\\{0,64}|u[dD][89abAB][0-9a-fA-F]{2}\\{0,64}"
    rb"(?:u[0-9a-fA-F]{0,3})?)?"
    rb"|%(?:25){0,8}2?[0-9a-fA-F]?|%0[dD]%?0?|=[0-9a-fA-F]?|&[a-zA-Z0-9#;&]{0,60}"
    rb"|'[\\'\"]{0,64}|'\$?'?[\\0-9a-z]{0,40}'?|\"\\{0,64}"
    rb"|[=\\'\" \t]{0,8}(?:\r|\n|\r\n)?[ \t]{0,64}[bBuU\\]?"
)
_CONTROLS = {
    b"a": b"\a", b"b": b"\b", b"e": b"\x1b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t",
    b"v": b"\v",
}  # fmt: skip

Reading = tuple[bytes, int]
"""The meanings of a text from some place on, and where each ends."""


def is_open(text: bytes, start: int) -> bool:
    """True if more text could change how the text reads from `start` on."""
    return len(text) - start <= LONGEST_READING and _OPEN.fullmatch(text, start) is not None


def readings(text: bytes, start: int) -> Iterator[Reading]:
    """All that the special byte at `start`, with what follows, can stand for.

    Each way to end a line is given as a line feed.
    """
    for value, end in _escapes(text, start):
        if value == b"\r":
            yield b"\n", end
            yield from ((b"\n", after) for v, after in _escapes(text, end) if v == b"\n")
        else:
            yield value, end


def skips(text: bytes, start: int) -> Iterator[int]:
    """Where the next character is, if the special byte at `start` only quotes it."""
    run = _BACKSLASHES.match(text, start)
    if run is None or run.end() - start > _MOST_BACKSLASHES:
        return
    if not text[run.end() : run.end() + 1].isalnum():
        yield run.end()


def line_break(text: bytes, start: int) -> int | None:
    """The end of what wraps a long word into lines at `start`, if that is there."""
    found = _BREAK.match(text, start)
    return None if found is None else found.end()


def _escapes(text: bytes, start: int) -> Iterator[Reading]:
    byte = text[start : start + 1]
    yield byte, start + 1
    match byte:
        case b"\\":
            yield from _behind_backslashes(text, start)
            yield from _fold(text, start)
        case b"%":
            yield from _behind_percent(text, start)
        case b"&":
            yield from _entity(text, start)
        case b"+":
            yield b" ", start + 1
        case b"'" | b'"':
            yield from _quotes(text, start)
        case b"=":
            if found := _HEX.match(text, start + 1):
                yield bytes.fromhex(found[0].decode()), found.end()
        case _:
            yield from _fold(text, start)


def _fold(text: bytes, start: int) -> Iterator[Reading]:
    """A space is where a long text is broken into lines."""
    if (found := _FOLD.match(text, start)) and found.end() > start + 1:
        yield b" ", found.end()


def _quotes(text: bytes, start: int) -> Iterator[Reading]:
    if found := _QUOTES.match(text, start):
        yield from ((b"'", i + 1) for i in range(start + 1, found.end()) if text[i] == ord("'"))
    if found := _DOLLARS.match(text, start):
        yield _ESCAPE.sub(lambda escape: _read(escape)[0], found[1]), found.end()
    if found := _DOUBLED.match(text, start):
        yield b'"', found.end()


def _behind_backslashes(text: bytes, start: int) -> Iterator[Reading]:
    run = _BACKSLASHES.match(text, start)
    if run is None or run.end() - start > _MOST_BACKSLASHES:
        return
    count = run.end() - start
    for most in (count, count - 1):  # the last one may belong to what follows
        for left in (most >> level for level in range(most.bit_length())):  # each level doubles
            yield b"\\" * left, start + most
    if found := _ESCAPE.match(text, start):
        yield from ((value, found.end()) for value in _read(found))
        low = _LOW_SURROGATE.match(text, found.end())
        if low and (unit := found[4]) and 0xD800 <= int(unit, 16) < 0xDC00:
            pair = bytes.fromhex((unit + low[1]).decode())
            yield pair.decode("utf-16-be").encode(), low.end()


def _read(found: re.Match[bytes]) -> list[bytes]:
    """The meaning of an escape: a byte, a character, or either."""
    x, octal, braced, short, long, name, control = found.groups()
    if control is not None:
        return [_CONTROLS[control]]
    if name is not None:
        with suppress(KeyError):
            return [unicodedata.lookup(name.decode(errors="replace")).encode()]
        return []
    if x is not None or octal is not None:
        number = int(x, 16) if x is not None else int(octal, 8) & 255
        return [bytes([number])] if number < 128 else [bytes([number]), chr(number).encode()]
    number = int(braced or short or long, 16)
    return [_character(number)]


def _character(number: int) -> bytes:
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        return b"\xff"  # no character, so in no secret
    return chr(number).encode()


def _behind_percent(text: bytes, start: int) -> Iterator[Reading]:
    if text.startswith(b"%%", start):
        yield b"%", start + 2
    end = start + 1
    while text.startswith(b"25", end) and end - start < 16:  # each level adds one
        end += 2
        yield b"%", end
    if found := _HEX.match(text, end):
        yield bytes.fromhex(found[0].decode()), found.end()


def _entity(text: bytes, start: int) -> Iterator[Reading]:
    end = start + 1
    while text.startswith(b"amp;", end) and end - start < 32:
        end += 4
        yield b"&", end
    if found := _ENTITY.match(text, start):
        name = b"&" + found[1] + b";"
        value = html.unescape(name.decode())
        if not value.startswith("&") or len(value) == 1:
            yield encode(value), found.end()
