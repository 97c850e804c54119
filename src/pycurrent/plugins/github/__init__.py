"""GitHub."""

from pycurrent.plugins.github.login import Login

__all__ = ["Login"]
