"""Forgejo and Gitea, whose API is the same."""

from pycurrent.plugins.forgejo.forgejo import Forgejo
from pycurrent.plugins.forgejo.login import Login

__all__ = ["Forgejo", "Login"]
