"""Checks the English of the docs, docstrings, comments and messages.

`python -m tools.prose` prints each place that a rule of `prose.toml` finds, with what to write
instead, and fails if a part of the tree has more of them than its ceiling allows. `--counts` prints
how often each rule applies in each part, to compare before and after.

The rules are our own, in `prose.toml`, and the checks of proselint that it names. They see
passages: a paragraph, a cell of a table, a docstring, a block of comments, or the text of a string
literal of three words or more.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONFIG = Path(__file__).with_suffix(".toml")

_CODE = re.compile(r"`+[^`]+`+|<[a-z/!][^>]*>|\]\([^)]*\)")
_BLOCK = re.compile(r"^( *)(```.*?^ *```$|<!--.*?-->)", re.MULTILINE | re.DOTALL)
_STARTS_A_PASSAGE = re.compile(r"\s*(?:[-*] |\d+\. |#+ )")
_THREE_WORDS = re.compile(r"[A-Za-z]{2,}\W{1,3}[A-Za-z']+\W{1,3}[A-Za-z]+")
_FOR_TOOLS = re.compile(r"# *(noqa|type:|fmt:|pragma|!)")
_COMMENTS: Mapping[str, re.Pattern[str]] = {
    ".js": re.compile(r"/\*\*?(.*?)\*/|(?<![:\"'])//(.*?)$", re.MULTILINE | re.DOTALL),
    ".css": re.compile(r"/\*(.*?)\*/", re.DOTALL),
    ".sql": re.compile(r"--(.*?)$", re.MULTILINE),
    ".toml": re.compile(r"(?:^|\s)#(.*?)$", re.MULTILINE),
    "": re.compile(r"(?:^|\s)##?(.*?)$", re.MULTILINE),
}


class Kind(Enum):
    """The places where prose stands."""

    MARKDOWN = "markdown"
    DOCSTRING = "docstring"
    COMMENT = "comment"
    MESSAGE = "message"


@dataclass(frozen=True)
class Passage:
    """A piece of prose, without the code in it, and the line on which it begins."""

    kind: Kind
    line: int
    text: str


@dataclass(frozen=True)
class Finding:
    """A place that a rule finds."""

    path: Path
    line: int
    rule: str
    found: str
    write: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.found!r}: {self.write}"


@dataclass(frozen=True)
class Rule:
    """One of our own: a pattern, where it is looked for, and what to write instead."""

    name: str
    pattern: re.Pattern[str]
    kinds: frozenset[Kind]
    write: str

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Rule:
        kinds = table.get("in", [kind.value for kind in Kind])
        pattern = re.compile(table["pattern"], re.DOTALL)
        return cls(table["name"], pattern, frozenset(map(Kind, kinds)), table["write"])

    def places(self, passage: Passage) -> Iterator[tuple[int, str]]:
        """The line and the text of each match."""
        if passage.kind in self.kinds:
            for match in self.pattern.finditer(passage.text):
                start = match.start() + len(match[0]) - len(match[0].lstrip())
                line = passage.line + passage.text.count("\n", 0, start)
                yield line, " ".join(match[0].split())


@dataclass(frozen=True)
class Config:
    """The settings in `prose.toml`."""

    files: Sequence[str]
    without: Sequence[str]
    rules: Sequence[Rule]
    proselint: Mapping[str, bool]
    ceilings: Mapping[str, int]

    @classmethod
    def read(cls, path: Path = CONFIG) -> Config:
        table = tomllib.loads(path.read_text())
        # More special names come first, as proselint asks for.
        checks = dict(sorted(table["proselint"].items(), key=lambda it: -it[0].count(".")))
        rules = [Rule.of(rule) for rule in [*table["rule"], *_words(table["avoid"])]]
        return cls(table["files"], table["without"], rules, checks, table.get("ceiling", {}))

    def part_of(self, path: Path) -> str:
        """The part of the tree that counts a file: the longest prefix with a ceiling, or all."""
        fitting = [prefix for prefix in self.ceilings if path.as_posix().startswith(prefix)]
        return max(fitting, key=len, default="")


def _words(avoided: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rules against words that have another in the glossary, or in today's English."""
    for entry in avoided:
        yield {
            **entry,
            "name": "word",
            "pattern": rf"(?i)(?<![\w-])(?:{entry['words']})(?![\w-])",
            "write": f"write {entry['write']}",
        }


def passages_of(path: Path, text: str) -> list[Passage]:
    """The passages of a file, by the end of its name."""
    match path.suffix:
        case ".md":
            return list(_markdown(text))
        case ".py":
            return list(_python(text))
        case suffix:
            return list(_comments(text, _COMMENTS.get(suffix, _COMMENTS[""])))


def _markdown(text: str) -> Iterator[Passage]:
    def blank(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    lines: list[str] = []
    first = 1
    for number, line in enumerate([*_BLOCK.sub(blank, text).splitlines(), ""], 1):
        if lines and (not line.strip() or line[:1] == "|" or _STARTS_A_PASSAGE.match(line)):
            yield Passage(Kind.MARKDOWN, first, without_code("\n".join(lines)))
            lines = []
        if line[:1] == "|":
            for cell in without_code(line).split("|"):
                yield Passage(Kind.MARKDOWN, number, cell.strip())
        elif line.strip():
            first = first if lines else number
            lines.append(_STARTS_A_PASSAGE.sub("", line))


def without_code(text: str) -> str:
    """The text with an X for code, tags and the targets of links; line ends are kept."""
    return _CODE.sub(lambda match: "X" + "\n" * match[0].count("\n"), text)


def _python(text: str) -> Iterator[Passage]:
    tree = ast.parse(text)
    within: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(value)) as constant):
                within.add(constant)
                yield Passage(Kind.DOCSTRING, constant.lineno, without_code(value))
            case ast.JoinedStr(values=values):
                within |= set(values)
                yield from _message(node.lineno, "".join(map(_shown, values)))
            case ast.Constant(value=str(value)) if node not in within:
                yield from _message(node.lineno, value)
    yield from _python_comments(text)


def _shown(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "X"


def _message(line: int, text: str) -> Iterator[Passage]:
    if _THREE_WORDS.search(text):
        yield Passage(Kind.MESSAGE, line, without_code(text))


def _python_comments(text: str) -> Iterator[Passage]:
    """Each block of whole-line comments, and each comment behind code."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or _FOR_TOOLS.match(token.string):
            continue
        line, column = token.start
        is_whole = not token.line[:column].strip()
        if block and (line != last + 1 or not is_whole):
            yield Passage(Kind.COMMENT, last - len(block) + 1, without_code("\n".join(block)))
            block = []
        content = token.string.lstrip("# ")
        if is_whole:
            block.append(content)
            last = line
        else:
            yield Passage(Kind.COMMENT, line, without_code(content))
    if block:
        yield Passage(Kind.COMMENT, last - len(block) + 1, without_code("\n".join(block)))


def _comments(text: str, pattern: re.Pattern[str]) -> Iterator[Passage]:
    for match in pattern.finditer(text):
        content = next((group for group in match.groups() if group), "")
        line = text.count("\n", 0, match.start() + match[0].index(content)) + 1
        if re.search(r"\w", content):
            plain = re.sub(r"\n\s*\*", "\n", content)
            yield Passage(Kind.COMMENT, line, without_code(plain.lstrip()))


@dataclass(frozen=True)
class Prose:
    """The prose of a tree of files."""

    root: Path
    config: Config

    def files(self) -> Iterator[Path]:
        """The files that are read, relative to the root."""
        seen = {path for glob in self.config.files for path in self.root.glob(glob)}
        for path in sorted(seen):
            inside = path.relative_to(self.root)
            if path.is_file() and not any(inside.match(glob) for glob in self.config.without):
                yield inside

    @cached_property
    def findings(self) -> list[Finding]:
        """The places that a rule finds, in the order of files and lines."""
        found = [finding for path in self.files() for finding in self._of(path)]
        return sorted(found, key=lambda it: (it.path, it.line))

    def _of(self, path: Path) -> Iterator[Finding]:
        passages = passages_of(path, (self.root / path).read_text())
        for rule in self.config.rules:
            for passage in passages:
                for line, text in rule.places(passage):
                    yield Finding(path, line, rule.name, text, rule.write)
        yield from self._by_proselint(path, passages)

    def _by_proselint(self, path: Path, passages: Sequence[Passage]) -> Iterator[Finding]:
        from proselint.registry import CheckRegistry

        registry = CheckRegistry()
        if not registry.checks:
            from proselint.checks import __register__

            registry.register_many(__register__)
        enabled = registry.get_all_enabled(dict(self.config.proselint))
        text, lines = _laid_out(passages)
        for check in enabled:
            for result in check.check_with_flags(text):
                start, end = result.span
                line = lines[text.count("\n", 0, start)]
                yield Finding(path, line, result.check_path, text[start:end], result.message)

    def counts(self) -> Counter[tuple[str, str]]:
        """How often each rule applies in each part."""
        part_of = self.config.part_of
        return Counter((part_of(finding.path), finding.rule) for finding in self.findings)


def _laid_out(passages: Sequence[Passage]) -> tuple[str, list[int]]:
    """All passages as one text, apart from each other, and for each line the original one."""
    text = "\n"
    lines = [0]
    for passage in passages:
        body = passage.text.strip("\n").splitlines() or [""]
        lines += [*range(passage.line, passage.line + len(body)), passage.line]
        text += "\n".join(body) + "\n\n"
    return text, [*lines, 0]


def check(prose: Prose) -> int:
    """Print what is to be changed; the exit status."""
    ceilings = prose.config.ceilings
    by_part: dict[str, list[Finding]] = {}
    for finding in prose.findings:
        by_part.setdefault(prose.config.part_of(finding.path), []).append(finding)
    status = 0
    for part, findings in by_part.items():
        allowed = ceilings.get(part, 0)
        if len(findings) > allowed:
            status = 1
            print(*findings, sep="\n")
            print(f"{part or 'elsewhere'}: {len(findings)}, and at most {allowed} are allowed")
    for part, allowed in ceilings.items():
        count = len(by_part.get(part, []))
        if count < allowed:
            print(f"{part}: only {count}: lower its ceiling of {allowed} in {CONFIG.name}")
    return status


def print_counts(prose: Prose) -> None:
    """Print a table: a line for each part, a column for each rule."""
    counts = prose.counts()
    rules = sorted({rule for _, rule in counts})
    width = max(map(len, ["elsewhere", *prose.config.ceilings]))
    print(" " * width, *rules, "all", sep="  ")
    for part in sorted({part for part, _ in counts}):
        numbers = [counts[part, rule] for rule in rules]
        cells = [f"{number:{len(rule)}}" for number, rule in zip(numbers, rules, strict=True)]
        print((part or "elsewhere").ljust(width), *cells, f"{sum(numbers):3}", sep="  ")
    print(f"{sum(counts.values())} in all")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.prose", description=__doc__)
    parser.add_argument("--counts", action="store_true", help="print numbers instead")
    parser.add_argument("--all", action="store_true", help="print each place, and succeed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to read")
    parser.add_argument("paths", nargs="*", help="only files whose path begins so")
    options = parser.parse_args(arguments)
    prose = Prose(options.root, Config.read())
    if options.counts:
        print_counts(prose)
    elif options.all or options.paths:
        for finding in prose.findings:
            if finding.path.as_posix().startswith(tuple(options.paths) or ""):
                print(finding)
    else:
        return check(prose)
    return 0


if __name__ == "__main__":
    sys.exit(main())
