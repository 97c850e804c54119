"""The same for each forge: repositories, refs, statuses and comments."""

from pycurrent.plugins.forge.forge import Forge
from pycurrent.plugins.forge.values import Branch, Change, MergeGroup, Ref, Repository, Tag

__all__ = ["Branch", "Change", "Forge", "MergeGroup", "Ref", "Repository", "Tag"]
