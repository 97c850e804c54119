"""The recipes for proxies: read as the proxies read them, and complete."""

from __future__ import annotations

import re
from pathlib import Path

RECIPES = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text()


def settings(file: str) -> dict[str, list[str]]:
    """The directives of a file, each with its arguments, by the blocks that they are in. A line is
    a directive that ends in `;`, or begins or ends a block, as nginx wants it.
    """
    (text,) = re.findall(rf"^```ini\n# {re.escape(file)}\n(.*?)^```$", RECIPES, re.M | re.S)
    found: dict[str, list[str]] = {}
    blocks: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line == "}":
            blocks.pop()
        elif line.endswith("{"):
            blocks.append(line.removesuffix("{").strip())
        else:
            assert line.endswith(";"), line
            name, *rest = line.removesuffix(";").split()
            found.setdefault("/".join([*blocks, name]), []).append(" ".join(rest))
    assert not blocks
    return found


def test_nginx() -> None:
    """What the engine believes of a proxy, and what streams need."""
    found = settings("nginx.conf")
    at = "server/location /"
    assert found[f"{at}/proxy_pass"] == ["http://127.0.0.1:8080"]
    assert found[f"{at}/proxy_http_version"] == ["1.1"]
    assert found[f"{at}/proxy_buffering"] == ["off"]
    assert found[f"{at}/proxy_set_header"] == [
        "Host $host",
        "X-Forwarded-Proto $scheme",
        "X-Forwarded-For $remote_addr",
    ]
    assert found["server/listen"] == ["443 ssl"]


def test_caddy() -> None:
    """One directive in the block of its site."""
    (text,) = re.findall(r"^```ini\n# ci.caddyfile\n(.*?)^```$", RECIPES, re.M | re.S)
    assert re.fullmatch(r"\S+ \{\n    reverse_proxy 127\.0\.0\.1:8080\n\}\n", text)
