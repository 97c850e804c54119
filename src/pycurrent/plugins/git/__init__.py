"""Local and remote Git repositories as inputs, and checkouts of their commits."""

from pycurrent.plugins.git.checkout import with_checkout
from pycurrent.plugins.git.clone import clone
from pycurrent.plugins.git.commit import Branch, Commit, CommitId, Detached, Head
from pycurrent.plugins.git.credentials import SshKey, Token
from pycurrent.plugins.git.environment import outside_repositories
from pycurrent.plugins.git.fetch import fetch
from pycurrent.plugins.git.heads import head_of, heads, tags
from pycurrent.plugins.git.info import CommitInfo, info
from pycurrent.plugins.git.local import Local
from pycurrent.plugins.git.subtree import Subtree, TreeEntry
from pycurrent.plugins.git.tree import tree

__all__ = [
    "Branch",
    "Commit",
    "CommitId",
    "CommitInfo",
    "Detached",
    "Head",
    "Local",
    "SshKey",
    "Subtree",
    "Token",
    "TreeEntry",
    "clone",
    "fetch",
    "head_of",
    "heads",
    "info",
    "outside_repositories",
    "tags",
    "tree",
    "with_checkout",
]
