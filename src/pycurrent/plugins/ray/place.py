"""A node of a Ray cluster as a place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine.place import RelayCommand
from pycurrent.places import ConnectedPlace, relay_by, serve_words, start_words
from pycurrent.plugins.ray.reservation import Placed

_CONNECT = Path(__file__).with_name("connect.py")


@dataclass(frozen=True, slots=True)
class RayPlace(ConnectedPlace):
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

    @property
    def known_as(self) -> str:
        return f"ray {self.at.home}"

    def relay(self) -> RelayCommand:
        """The driver is the bridge."""
        to = {"node": self.at.node, "host": self.at.host, "home": self.at.home}
        words = {"words": start_words(self.python), "serving": serve_words(self.python)}
        request = {"do": "connect", **to, **words}
        return relay_by({"socket": str(self.socket), "request": request})

    def connect(self, words: str) -> Sequence[str]:
        at = self.at
        program = (sys.executable, "-I", "-S", str(_CONNECT))
        return (*program, str(self.socket), at.node, at.host, at.home, words)
