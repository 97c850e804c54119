"""The public `Engine`: the face of an open engine."""

from pycurrent.facade.engine import Engine, OpenHook

__all__ = ["Engine", "OpenHook"]
