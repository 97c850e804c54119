"""GitHub, and GitHub Enterprise Server."""

from pycurrent.plugins.github.github import App, GitHub
from pycurrent.plugins.github.login import Login

__all__ = ["App", "GitHub", "Login"]
