"""The labels of components: what the functions of plugins take."""

from __future__ import annotations


def label_or(label: str | None, default: str) -> str:
    """The user's label, word for word, or a format with the parameters of the component."""
    return default if label is None else label.replace("{", "{{").replace("}", "}}")
