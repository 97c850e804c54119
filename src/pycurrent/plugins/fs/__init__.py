"""Files that follow the pipeline."""

from pycurrent.plugins.fs.file import File
from pycurrent.plugins.fs.save import save
from pycurrent.plugins.fs.save_tree import save_tree

__all__ = ["File", "save", "save_tree"]
