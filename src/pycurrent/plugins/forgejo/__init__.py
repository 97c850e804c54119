"""Forgejo and Gitea, whose API is the same."""

from pycurrent.plugins.forgejo.forgejo import Forgejo

__all__ = ["Forgejo"]
