"""Files and folders that follow the pipeline."""

from pycurrent.plugins.fs.content import Content
from pycurrent.plugins.fs.save import save
from pycurrent.plugins.fs.save_tree import save_tree

__all__ = ["Content", "save", "save_tree"]
