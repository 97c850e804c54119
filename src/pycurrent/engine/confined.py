"""The environment of commands that may run the code of strangers: nothing of the engine's."""

from __future__ import annotations

import os
from collections.abc import Mapping

HOME = "/nonexistent"
"""The home of such commands: the settings of the engine's user are not theirs."""


def confined(env: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """The changes that a command makes to the engine's environment, of which it gets the `PATH`
    alone.
    """
    path = os.environ.get("PATH", os.defpath)
    own = {"PATH": path, "LANG": "C.UTF-8", "HOME": HOME}
    return {**dict.fromkeys(os.environ), **own, **(env or {})}
