"""The types of files, by the ends of their names: what a browser may show, and what it keeps.

The table is closed: a file of another type could be anything, and is only to be kept.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType

UNKNOWN = "application/octet-stream"


class Look(Enum):
    """How a page shows a file."""

    TEXT = "text"
    PICTURE = "picture"
    DOCUMENT = "document"
    """Something that may run scripts: only in a sandbox."""
    OTHER = "other"


_UTF_8 = "; charset=utf-8"

_SHOWN = MappingProxyType(
    {
        **dict.fromkeys(("html", "htm"), f"text/html{_UTF_8}"),
        "xhtml": "application/xhtml+xml",
        "svg": "image/svg+xml",
        "css": f"text/css{_UTF_8}",
        **dict.fromkeys(("js", "mjs"), f"text/javascript{_UTF_8}"),
        **dict.fromkeys(("json", "map"), "application/json"),
        "xml": "application/xml",
        "png": "image/png",
        "apng": "image/apng",
        **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
        "gif": "image/gif",
        "webp": "image/webp",
        "avif": "image/avif",
        "bmp": "image/bmp",
        "ico": "image/x-icon",
        "woff": "font/woff",
        "woff2": "font/woff2",
        "ttf": "font/ttf",
        "otf": "font/otf",
        "mp4": "video/mp4",
        "webm": "video/webm",
        "mp3": "audio/mpeg",
        "ogg": "audio/ogg",
        "wav": "audio/wav",
        "wasm": "application/wasm",
        **dict.fromkeys(
            (
                *("txt", "text", "log", "md", "rst", "csv", "tsv", "diff", "patch", "tap", "out"),
                *("toml", "yaml", "yml", "ini", "cfg", "conf", "py", "c", "h", "rs", "go", "ts"),
            ),
            f"text/plain{_UTF_8}",
        ),
    }
)
"""The types that browsers get; all else they only keep."""
_DOCUMENTS = frozenset({"html", "htm", "xhtml", "svg"})
_PICTURES = "image/"
_NO_TEXTS = ("font/", "video/", "audio/", "application/wasm")


def media_type(path: str) -> str:
    """The type of a file, as the header `Content-Type` has it."""
    return _SHOWN.get(_end(path), UNKNOWN)


def look_of(path: str) -> Look:
    """How a file is shown by its name; what has no known end may be text."""
    end = _end(path)
    kind = _SHOWN.get(end, UNKNOWN)
    if end in _DOCUMENTS:
        return Look.DOCUMENT
    if kind.startswith(_PICTURES):
        return Look.PICTURE
    return Look.OTHER if kind.startswith(_NO_TEXTS) else Look.TEXT


def _end(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
