"""Files kept by their content: what a job has made, for the jobs that need it.

`File` and `Tree` are values: two with the same content are equal, whichever job has made them.
Their bytes are in a store below the state directory, each content once.
"""

from pycurrent.files.comparing import is_in
from pycurrent.files.errors import FilesError, FilesLost
from pycurrent.files.placing import entries_of, is_kept, place
from pycurrent.files.saving import Saved, save, save_file
from pycurrent.files.store import FileStore
from pycurrent.files.values import File, Tree

__all__ = [
    "File",
    "FileStore",
    "FilesError",
    "FilesLost",
    "Saved",
    "Tree",
    "entries_of",
    "is_in",
    "is_kept",
    "place",
    "save",
    "save_file",
]
