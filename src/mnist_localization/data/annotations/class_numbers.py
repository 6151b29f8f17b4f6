"""Labels in annotation files: names of classes, or their numbers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from mnist_localization.errors import AnnotationError

_LIST_FILES = ("classes.txt", "obj.names", "obj.names.txt", "data.yaml", "dataset.yaml")
_MAX_BYTES = 2**20


def parse_label(text: str, labels: Mapping[str, int]) -> tuple[int | None, bool]:
    """Return the label of a name or number, and whether it is a number.

    The label is `None` if no class has this name, and may be too large if it is a number.
    """
    if text in labels:
        return labels[text], False
    try:
        number = float(text) if text.isascii() and len(text) < 20 else -1.0
    except ValueError:
        return None, False
    # Tools that compute with floats write 1.0 or 1.0e+00.
    return (int(number), True) if 0 <= number < 10**9 and number.is_integer() else (None, False)


def check_numbers(numbers: Sequence[int], class_names: Sequence[str], path: Path) -> None:
    """Check that the numbers of the classes mean the classes of the configuration.

    Args:
        numbers: All class numbers of an annotation file; empty if it has names.
        class_names: Name of each class, in the order of the labels.
        path: The annotation file or folder.

    Raises:
        AnnotationError: The numbers start at 1, or a list of classes next to the annotations has
            another order.
    """
    if not numbers:
        return
    if min(numbers) == 1 and max(numbers) == len(class_names):
        raise AnnotationError(
            f"{path}: the class numbers are 1 to {len(class_names)}, but numbering starts at 0; "
            "write the names of the classes, or subtract 1 from each number"
        )
    for file, names in class_lists(path):
        if list(names) != list(class_names):
            raise AnnotationError(
                f"{path}: class numbers follow the order of {file}, which is {list(names)}, but "
                f"dataset.class_names is {list(class_names)}; correct dataset.class_names"
            )


def class_lists(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the lists of class names in the folder of the annotations and in its parent."""
    folder = path if path.is_dir() else path.parent
    for file in (each / name for each in (folder, folder.parent) for name in _LIST_FILES):
        try:
            if not file.is_file() or file.stat().st_size > _MAX_BYTES:
                continue
            text = file.read_text("utf-8-sig")
        except (OSError, ValueError):
            continue
        names = _names_of(file, text)
        if names:
            yield file, names


def _names_of(file: Path, text: str) -> list[str]:
    if file.suffix != ".yaml":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return []
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict):
        counted = [names.get(key, names.get(str(key))) for key in range(len(names))]
        names = None if None in counted else counted
    return [str(name) for name in names] if isinstance(names, list) else []
