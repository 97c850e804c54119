"""A strict reader of the part of Graphviz's language that diagrams are written in."""

import html
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\["\\n])*")|(?P<id>[A-Za-z_][A-Za-z_0-9]*)"""
    r"""|(?P<mark>->|[{}\[\]=,;]))"""
)


@dataclass
class Dot:
    """What a text says: strings are as they will be shown."""

    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    clusters: dict[str, dict[str, str]] = field(default_factory=dict)
    # The cluster that each node, and each cluster, stands in.
    inside: dict[str, str | None] = field(default_factory=dict)


def shown(string: str) -> str:
    """What a quoted string stands for in a label or a tooltip."""
    text = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], string[1:-1])
    return html.unescape(text)


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            assert match, f"no token: {text[position : position + 60]!r}"
            self.tokens.append(match[0].strip())
            position = match.end()
        self.tokens.reverse()

    def peek(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def take(self, expected: str | None = None) -> str:
        token = self.tokens.pop()
        assert expected is None or token == expected, f"{token!r} instead of {expected!r}"
        return token

    def name(self) -> str:
        token = self.take()
        assert re.fullmatch(r"[A-Za-z_]\w*", token), token
        return token

    def value(self) -> str:
        token = self.take()
        return shown(token) if token.startswith('"') else token

    def attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.peek() != "[":
            return found
        self.take("[")
        while True:
            name = self.name()
            assert name not in found
            self.take("=")
            found[name] = self.value()
            if self.peek() != ",":
                break
            self.take(",")
        self.take("]")
        return found


def parse(text: str) -> Dot:
    """Read a diagram; anything unusual fails an assertion."""
    reader = _Reader(text)
    dot = Dot()
    reader.take("digraph")
    reader.name()
    reader.take("{")
    clusters: list[str | None] = [None]
    while clusters:
        if reader.peek() == "}":
            reader.take()
            clusters.pop()
            continue
        _statement(reader, dot, clusters)
    assert not reader.tokens
    for source, target, _ in dot.edges:
        assert source in dot.nodes
        assert target in dot.nodes
    return dot


def _statement(reader: _Reader, dot: Dot, clusters: list[str | None]) -> None:
    name = reader.name()
    if name == "subgraph":
        cluster = reader.name()
        assert cluster.startswith("cluster_")
        assert cluster not in dot.clusters
        dot.clusters[cluster] = {}
        dot.inside[cluster] = clusters[-1]
        clusters.append(cluster)
        reader.take("{")
    elif reader.peek() == "=":
        reader.take()
        value = reader.value()
        if clusters[-1] is not None:
            dot.clusters[clusters[-1]][name] = value
    elif reader.peek() == "->":
        assert clusters == [None], "an edge would draw its ends into the cluster"
        reader.take()
        dot.edges.append((name, reader.name(), reader.attributes()))
    elif name in ("node", "graph"):
        reader.attributes()
    else:
        assert name not in dot.nodes
        dot.nodes[name] = reader.attributes()
        dot.inside[name] = clusters[-1]
    if reader.peek() == ";":
        reader.take()
