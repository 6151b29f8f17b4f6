"""Registries that are folders: the names are the file names of the modules in a folder.

Adding an entry means placing one file. Listing the names imports nothing, so configuration can
validate a name without loading Keras.
"""

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).parent


@cache
def module_names(folder: str) -> tuple[str, ...]:
    """Return the names in a registry folder, sorted.

    Args:
        folder: Folder relative to the package, for example `models/architectures`.
    """
    return tuple(
        sorted(
            path.stem
            for path in (_PACKAGE / folder).iterdir()
            if not path.name.startswith(("_", "."))
            and (path.suffix == ".py" or (path / "__init__.py").is_file())
        )
    )


def load_module(folder: str, name: str) -> ModuleType:
    """Import one module of a registry folder.

    Args:
        folder: Folder relative to the package.
        name: One of `module_names(folder)`.
    """
    return importlib.import_module(f"{__package__}.{folder.replace('/', '.')}.{name}")


def load_modules(folder: str) -> dict[str, ModuleType]:
    """Import all modules of a registry folder, by name."""
    return {name: load_module(folder, name) for name in module_names(folder)}
