"""The labels of components: what the functions of plugins take."""

from __future__ import annotations

from pycurrent.errors import WrongKind
from pycurrent.term import shown


def label_or(label: str | None, default: str) -> str:
    """The user's label, word for word, or a format with the parameters of the component."""
    if label is not None and not isinstance(label, str):
        raise WrongKind(f"label= takes a text, not {shown(label)}")
    return default if label is None else label.replace("{", "{{").replace("}", "}}")
