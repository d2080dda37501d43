"""A version asked about the known pictures, in a process of its own: `python -m mskmodel.registry.trial DIRECTORY`.

So a process that never loads torch can have a version tried. Exit status 1, with the reason: it cannot be served.
"""

import sys
from pathlib import Path

from mskmodel.registry.classifier import Classifier
from mskmodel.registry.version import RegistryError

__all__: list[str] = []

if __name__ == "__main__":
    try:
        Classifier.load(Path(sys.argv[1]), "cpu")
    except RegistryError as error:
        sys.exit(str(error))
