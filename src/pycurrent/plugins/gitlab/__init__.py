"""GitLab."""

from pycurrent.plugins.gitlab.gitlab import GitLab

__all__ = ["GitLab"]
