"""GitLab."""

from pycurrent.plugins.gitlab.gitlab import GitLab
from pycurrent.plugins.gitlab.login import Login

__all__ = ["GitLab", "Login"]
