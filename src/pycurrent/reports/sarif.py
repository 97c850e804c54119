"""Reads SARIF 2.1.0, in which tools that look through code tell of what they have found.

Only what an annotation has is decoded. The results are first taken as they are, and decoded one by
one: so the interpreter's lock is never held for long. References to sections are to those of the
standard of OASIS.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
from msgspec import Raw, Struct

from pycurrent.reports.errors import ReportError
from pycurrent.reports.opening import opened
from pycurrent.store import Annotation, AnnotationLevel

LARGEST = 20 << 20
"""In bytes: a larger report is refused. It takes some 50 ms to tell its results apart."""
LONGEST_MESSAGE = 2_000
LONGEST_NAME = 300
"""In characters; longer texts are cut."""

_AT_ONCE = 1 << 20
_VERSION = "2.1.0"
_BOM = b"\xef\xbb\xbf"
_DEEPEST = 10
"""So many bases of addresses may stand on each other."""
_PLACEHOLDER = re.compile(r"\{(\d{1,3})\}")
_LINK = re.compile(r"(?<!\\)\[((?:\\.|[^\]\\])+)\]\([^)\s]*\)")
_LEVELS = {
    "error": AnnotationLevel.ERROR,
    "warning": AnnotationLevel.WARNING,
    "note": AnnotationLevel.NOTICE,
}
_KINDS = {"informational", "open", "review"}
"""The kinds of results that have not failed, and are worth a look (3.27.9)."""


class _Message(Struct, rename="camel"):
    text: str | None = None
    id: str | None = None
    arguments: list[str] = []


class _Configuration(Struct, rename="camel"):
    level: str = "warning"


class _Rule(Struct, rename="camel"):
    id: str = ""
    default_configuration: _Configuration | None = None
    message_strings: dict[str, _Message] = {}


class _Component(Struct, rename="camel"):
    name: str = ""
    rules: list[_Rule] = []


class _Tool(Struct, rename="camel"):
    driver: _Component
    extensions: list[_Component] = []


class _Location(Struct, rename="camel"):
    uri: str | None = None
    uri_base_id: str | None = None
    index: int = -1


class _Artifact(Struct, rename="camel"):
    location: _Location | None = None


class _Region(Struct, rename="camel"):
    start_line: int | None = None
    start_column: int | None = None
    end_line: int | None = None


class _Physical(Struct, rename="camel"):
    artifact_location: _Location | None = None
    region: _Region | None = None


class _Place(Struct, rename="camel"):
    physical_location: _Physical | None = None


class _Reference(Struct, rename="camel"):
    index: int = -1


class _RuleReference(Struct, rename="camel"):
    id: str | None = None
    index: int = -1
    tool_component: _Reference | None = None


class _Suppression(Struct, rename="camel"):
    status: str = "accepted"


class _Result(Struct, rename="camel"):
    message: _Message
    rule_id: str | None = None
    rule_index: int = -1
    rule: _RuleReference | None = None
    level: str | None = None
    kind: str = "fail"
    locations: list[_Place] = []
    suppressions: list[_Suppression] | None = None
    baseline_state: str | None = None


class _Run(Struct, rename="camel"):
    tool: _Tool
    results: list[Raw] | None = None
    artifacts: list[_Artifact] = []
    original_uri_base_ids: dict[str, _Location] = {}


class _Log(Struct, rename="camel"):
    version: str
    runs: list[_Run]


_decode_log = msgspec.json.Decoder(_Log).decode
_decode_result = msgspec.json.Decoder(_Result).decode


def read_sarif(path: Path, folder: Path) -> Iterator[Annotation]:
    """The results in a report that tell of something, in their order. Blocks.

    `folder` is where the tool has run: paths are made relative to it. Raises `ReportError` if it
    can't be read, before the first result or at one that is damaged. Never opens anything but a
    regular file.
    """
    data = _read(path)
    try:
        log = _decode_log(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"it is not SARIF: {error}") from None
    if not log.version.startswith(_VERSION):
        raise ReportError(f"it is SARIF {log.version[:20]}, and only {_VERSION} is read")
    # The folder of a checkout may be given by way of a link.
    roots = tuple(dict.fromkeys((os.fspath(folder.absolute()), os.fspath(folder.resolve()))))
    for run in log.runs:
        yield from _Reader(run, roots).annotations()


def _read(path: Path) -> bytes:
    pieces, size = list[bytes](), 0
    with opened(path) as read:
        while piece := read(_AT_ONCE):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise ReportError(f"it has more than {LARGEST >> 20} MiB")
    if not pieces:
        raise ReportError("it is empty")
    return b"".join(pieces).removeprefix(_BOM)


class _Reader:
    """Reads the results of one run of a tool."""

    def __init__(self, run: _Run, roots: Sequence[str]) -> None:
        self._run = run
        self._roots = roots
        self._tool = run.tool.driver.name or None
        self._components = (run.tool.driver, *run.tool.extensions)
        # By their ids; of two with the same one the first.
        self._rules = {
            rule.id: rule
            for component in reversed(self._components)
            for rule in reversed(component.rules)
        }

    def annotations(self) -> Iterator[Annotation]:
        for number, raw in enumerate(self._run.results or (), 1):
            try:
                result = _decode_result(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ReportError(f"its result {number:,} is damaged: {error}") from None
            rule = self._rule(result)
            level = _level(result, rule)
            if level is not None and not _is_suppressed(result):
                yield self._annotation(result, rule, level)

    def _annotation(
        self, result: _Result, rule: _Rule | None, level: AnnotationLevel
    ) -> Annotation:
        told = result.rule_id or (result.rule and result.rule.id) or (rule and rule.id)
        message = self._message(result.message, rule).strip() or told or "(no message)"
        found = next(
            (place.physical_location for place in result.locations if place.physical_location), None
        )
        path, line, end_line, column = None, None, None, None
        if found is not None and found.artifact_location is not None:
            uri = self._uri(found.artifact_location)
            path = _path(uri, self._roots)
            if path is None and uri:
                message = f"{unquote(uri)}: {message}"
            region = found.region or _Region()
            if path is not None:
                line, end_line = _positive(region.start_line), _positive(region.end_line)
                column = _positive(region.start_column)
        return Annotation(
            path,
            line,
            _cut(message, LONGEST_MESSAGE),
            level=level,
            column=column if line else None,
            end_line=end_line if line and end_line and end_line > line else None,
            title=_cut(told, LONGEST_NAME) if told else None,
            tool=_cut(self._tool, LONGEST_NAME) if self._tool else None,
        )

    def _rule(self, result: _Result) -> _Rule | None:
        """The rule that a result is of (3.27.7, 3.52)."""
        reference = result.rule or _RuleReference()
        component = self._components[0]
        extension = reference.tool_component
        if extension is not None and 0 <= extension.index < len(self._components) - 1:
            component = self._components[extension.index + 1]
        index = result.rule_index if result.rule_index >= 0 else reference.index
        if 0 <= index < len(component.rules):
            return component.rules[index]
        name = result.rule_id or reference.id or ""
        # `CA1000/1` is of the rule CA1000, unless there is one of that name.
        return self._rules.get(name) or self._rules.get(name.rpartition("/")[0])

    def _message(self, message: _Message, rule: _Rule | None) -> str:
        """Its text, with its arguments, and links as their texts (3.11)."""
        text = message.text
        if text is None and rule is not None and message.id is not None:
            found = rule.message_strings.get(message.id)
            text = None if found is None else found.text
        if message.arguments and text is not None:
            given = message.arguments

            def filled(found: re.Match[str]) -> str:
                at = int(found[1])
                return given[at] if at < len(given) else found[0]

            text = _PLACEHOLDER.sub(filled, text)
        return "" if text is None else _LINK.sub(r"\1", text)

    def _uri(self, location: _Location) -> str:
        """The address of a file, with that to which it is relative (3.4)."""
        if location.uri is None and 0 <= location.index < len(self._run.artifacts):
            location = self._run.artifacts[location.index].location or location
        uri, base, bases = location.uri or "", location.uri_base_id, self._run.original_uri_base_ids
        for _ in range(_DEEPEST):
            known = None if base is None else bases.get(base)
            if known is None:
                break
            if known.uri:
                try:
                    uri = urljoin(known.uri, uri)
                except ValueError:
                    break
            base = known.uri_base_id
        return uri


def _level(result: _Result, rule: _Rule | None) -> AnnotationLevel | None:
    """How bad a result is (3.27.10); None if it tells of nothing."""
    if result.baseline_state == "absent":
        return None
    if result.level is not None:
        return _LEVELS.get(result.level)
    if result.kind != "fail":
        return AnnotationLevel.NOTICE if result.kind in _KINDS else None
    configuration = None if rule is None else rule.default_configuration
    return _LEVELS.get("warning" if configuration is None else configuration.level)


def _is_suppressed(result: _Result) -> bool:
    """True if people have accepted it, and none of them has to look at it once more (3.27.23)."""
    suppressions = result.suppressions or ()
    return bool(suppressions) and all(one.status == "accepted" for one in suppressions)


def _path(uri: str, roots: Sequence[str]) -> str | None:
    """A path within the folder; None for one that is not, or not known."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    path = unquote(parts.path, errors="replace")
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return None
    if path.startswith("/"):
        path = posixpath.normpath(path)
        root = next((root for root in roots if path.startswith(f"{root}/")), None)
        if root is None:
            return None
        path = path[len(root) + 1 :]
    elif parts.scheme == "file":
        return None
    path = posixpath.normpath(path)
    is_outside = path == "." or path.split("/")[0] == ".."
    return None if is_outside or not path.isprintable() or len(path) > LONGEST_MESSAGE else path


def _positive(number: int | None) -> int | None:
    return number if number is not None and 0 < number < 10**9 else None


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
