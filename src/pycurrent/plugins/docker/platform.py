"""The names of platforms, and which of them mean the same.

The rules are those of containerd's package `platforms`, which the engine and BuildKit follow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_SYSTEMS = {"macos": "darwin"}
_ARCHITECTURES = {
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_DEFAULT_VARIANTS = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
_SYSTEM = "linux"
"""The system of a platform that only names its architecture."""


def normalised(platform: str) -> tuple[str, str, str] | None:
    """Return the operating system, architecture and variant; None for a malformed platform.

    The variant is "" if there is only one, or if it is the usual one.
    """
    parts = platform.strip().lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(map(_PART.fullmatch, parts)):
        return None
    system, architecture, variant = [*parts, "", ""][:3] if len(parts) > 1 else ("", parts[0], "")
    architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
    variant = variant or implied
    if variant.isdecimal():
        variant = f"v{variant}"
    if variant == _DEFAULT_VARIANTS.get(architecture):
        variant = ""
    return _SYSTEMS.get(system, system) or _SYSTEM, architecture, variant


def choose(offered: Sequence[str], asked: str) -> int | None:
    """Return the index of the platform that is asked for; None if it is not offered.

    Without a variant, the usual one is taken, or else any.
    """
    known = [normalised(one) for one in offered]
    wanted = normalised(asked)
    if wanted is None:
        return None
    if wanted in known:
        return known.index(wanted)
    if wanted[2] or asked.count("/") > 1:
        return None
    return next((i for i, one in enumerate(known) if one and one[:2] == wanted[:2]), None)
