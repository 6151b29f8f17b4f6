"""Detection of the format of annotation files."""

from pathlib import Path

from mnist_localization.data.annotations.formats import AnnotationFormat, load_format
from mnist_localization.errors import AnnotationError
from mnist_localization.registry import module_names

AUTO = "auto"


def choose_format(name: str, path: Path) -> tuple[str, AnnotationFormat]:
    """Return a format and its name; `auto` chooses the one that the annotation files have.

    Args:
        name: Name of a registered format, or `auto`.
        path: Annotation file or folder.

    Raises:
        AnnotationError: No format or more than one matches.
    """
    if name != AUTO:
        return name, load_format(name)
    known = module_names("data/annotations/formats")
    formats = {each: load_format(each) for each in known}
    found = [each for each, form in formats.items() if form.matches and form.matches(path)]
    # A general format matches the files of special ones as well.
    special = [each for each in found if not formats[each].is_general]
    found = special or found
    if len(found) != 1:
        matching = f"may be of the formats {', '.join(found)}" if found else "has no known format"
        raise AnnotationError(
            f"{path}: {matching}; set dataset.annotations.format to one of {', '.join(known)}"
        )
    return found[0], formats[found[0]]
