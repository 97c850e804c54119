"""Feeds XML to Expat, part by part: what the reports in XML have in common.

Entities are refused where they are declared, so neither can a small file become a large one, nor a
report have another file read. Sizes are limited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn
from xml.parsers import expat

from pycurrent.reports.errors import ReportError

LONGEST_TAG = 4 << 20
"""In bytes: so long may one tag be with all its attributes, as it is in memory as a whole."""
_AT_ONCE = 1 << 16
_ESCAPE = 0x7F
"""A character that XML allows, and nobody uses: it stands for the one with which colours begin."""
_ALLOWED = bytes(
    n if n >= 32 or n in b"\t\n\r" else _ESCAPE if n == 0x1B else 32 for n in range(256)
)
"""XML has no control characters, and yet many tools print them as they are."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
_BREAKS = frozenset(
    {
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    }
)


def xml_parser() -> expat.XMLParserType:
    """A parser that refuses entities."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.EntityDeclHandler = _refuse_entities
    parser.ExternalEntityRefHandler = _refuse_entities
    return parser


def parsed(
    parser: expat.XMLParserType, read: Callable[[int], bytes], so_far: Callable[[], str]
) -> Iterator[None]:
    """Parse a report to its end, and give the turn to the caller after each part.

    Raises `ReportError`, which says by `so_far` how much was read before; that is empty before the
    first element.
    """
    fed, is_last, plain = 0, False, True
    while not is_last:
        data = read(_AT_ONCE)
        if fed == 0:
            if not data:
                raise ReportError("it is empty")
            plain = not data.startswith(_UTF_16)
        is_last = not data
        fed += len(data)
        try:
            parser.Parse(data.translate(_ALLOWED) if plain else data, is_last)
        except expat.ExpatError as error:
            raise _told(error, so_far()) from None
        except (LookupError, ValueError) as error:  # An encoding that Python does not have.
            raise ReportError(str(error)) from None
        if fed - max(parser.CurrentByteIndex, 0) > LONGEST_TAG + _AT_ONCE:
            raise ReportError(f"a tag of it has more than {LONGEST_TAG >> 20} MiB")
        yield


def _told(error: expat.ExpatError, so_far: str) -> ReportError:
    what = expat.errors.messages.get(error.code, str(error))
    at = f"line {error.lineno}, column {error.offset + 1}"
    if what in _BREAKS:
        return ReportError(f"it breaks off at {at}{so_far}")
    if not so_far:
        return ReportError(f"it is not XML ({what} at {at})")
    return ReportError(f"{what} at {at}{so_far}")


def _refuse_entities(*_: object) -> NoReturn:
    raise ReportError("it declares entities, which are not read")
