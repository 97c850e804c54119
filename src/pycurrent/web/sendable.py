"""Texts that can be sent."""

from __future__ import annotations


def sendable(text: str) -> str:
    """The text, as Unicode has it: what came from a command or the name of a file may hold
    surrogates (PEP 383), which can't be encoded. Each is shown as U+FFFD.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
