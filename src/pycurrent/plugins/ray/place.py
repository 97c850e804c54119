"""A node of a Ray cluster as a place."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine.place import Place, RelayCommand
from pycurrent.places import relay_by, start_words
from pycurrent.plugins.ray.reservation import Placed

_CONNECT = Path(__file__).with_name("connect.py")


@dataclass(frozen=True, slots=True)
class RayPlace(Place):
    """A node, which the driver leads to that listens at this socket."""

    at: Placed
    socket: Path
    python: str
    lease: float

    @property
    def name(self) -> str:
        return self.at.host or self.at.node

    @property
    def kind(self) -> str:
        return "ray"

    def relay(self) -> RelayCommand:
        at = self.at
        program = (sys.executable, "-I", "-S", str(_CONNECT))
        words = start_words(self.python)
        return relay_by([*program, str(self.socket), at.node, at.host, at.home, words])
