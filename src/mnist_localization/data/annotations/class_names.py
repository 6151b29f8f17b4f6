"""Labels in annotation files: names of classes, or their numbers."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import RootModel

from mnist_localization.errors import AnnotationError, UnreadableError

logger = logging.getLogger(__name__)

_LIST_FILES = ("classes.txt", "obj.names", "obj.names.txt", "data.yaml", "dataset.yaml")
_MAX_BYTES = 2**20
_MAX_CLASSES = 1000


class ClassNames(RootModel[tuple[str, ...]], frozen=True):
    """The dataset `class_names`: name of each class, in the order of the labels."""


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


def check_numbers(
    numbers: Sequence[int], class_names: Sequence[str], path: Path, root: Path
) -> None:
    """Check that the numbers of the classes mean the classes of the configuration.

    Args:
        numbers: All class numbers of an annotation file; empty if it has names.
        class_names: Name of each class, in the order of the labels.
        path: The annotation file or folder.
        root: Folder of the dataset.

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
    for file, names in class_lists(path, root):
        if list(names) != list(class_names):
            raise AnnotationError(
                f"{path}: class numbers follow the order of {file}, which is {list(names)}, but "
                f"dataset.class_names is {list(class_names)}; correct dataset.class_names "
                "or the list"
            )


def find_class_names(
    labels: Collection[str], paths: Sequence[Path], root: Path, *, has_numbers: bool
) -> tuple[str, ...]:
    """Return the names of the classes of a dataset that does not configure them.

    Args:
        labels: All labels of the annotations.
        paths: Annotation file or folder of each split.
        root: Folder of the dataset.
        has_numbers: Whether the labels of the format are numbers of classes.

    Returns:
        If all labels are numbers, the first list of classes next to the annotations. Without a
        list, the numbers of a format that has numbers name themselves, from 0 to the largest. All
        other labels are names, and sorted.

    Raises:
        AnnotationError: There are no labels, or too many, or a list has a name twice.
    """
    found = {label: _whole_number(label) for label in labels if label}
    if has_numbers:
        found = {label: number for label, number in found.items() if number is not None}
    if not found:
        raise AnnotationError(
            f"{paths[0]}: the objects have no labels, so dataset.class_names cannot be 'auto'; if "
            "all objects are of one class, set it to a list with one name"
        )
    numbers = [number for number in found.values() if number is not None]
    lists = (each for path in paths for each in class_lists(path, root))
    file, listed = next(lists, (paths[0], [])) if len(numbers) == len(found) else (paths[0], [])
    if len(set(listed)) < len(listed):
        raise AnnotationError(f"{file}: lists a class twice; each class needs its own name")
    count = len(listed) or (max(numbers) + 1 if has_numbers else len(found))
    if count > _MAX_CLASSES and not listed:
        raise AnnotationError(
            f"{paths[0]}: {count} classes are more than {_MAX_CLASSES}; correct "
            "dataset.annotations, or list the classes in dataset.class_names"
        )
    if listed:
        logger.info("Names of the classes: %s", file)
        return tuple(listed)
    if has_numbers:
        return tuple(str(number) for number in range(count))
    return tuple(sorted(found, key=lambda label: (found[label] or 0, label)))


def _whole_number(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and number >= 0 else None


def class_lists(path: Path, root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the lists of class names of a dataset, those in the folder of the annotations first.

    The folders from the annotations up to the folder of the dataset are searched.
    """
    path, root = path.resolve(), root.resolve()
    folder = path if path.is_dir() else path.parent
    folders = [folder, *(each for each in folder.parents if each.is_relative_to(root))]
    for file in (each / name for each in folders for name in _LIST_FILES):
        if not _is_small_file(file):
            continue
        try:
            text = file.read_text("utf-8-sig")
        except OSError as error:
            raise UnreadableError(file, error) from error
        except ValueError:
            continue
        names = _names_of(file, text)
        if names:
            yield file, names


def _is_small_file(file: Path) -> bool:
    try:
        return file.is_file() and file.stat().st_size <= _MAX_BYTES
    except OSError:
        return False


def _names_of(file: Path, text: str) -> list[str]:
    if file.suffix != ".yaml":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        # All values are texts: a class may be named `no` or `1.0`.
        document = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # creates texts only
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict):
        counted = [names.get(str(key)) for key in range(len(names))]
        names = None if None in counted else counted
    return [str(name) for name in names] if isinstance(names, list) else []
