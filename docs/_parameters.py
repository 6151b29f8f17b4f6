"""Tables of the parameters: values and comments of `conf/base`, types and limits of the models."""

import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import annotated_types
import yaml
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from mnist_localization.config import Settings
from mnist_localization.registry import load_modules, module_names

ROOT = Path(__file__).parents[1]
_LONGEST_DEFAULT = 70


@dataclass(frozen=True)
class Entry:
    """One key of conf/base: its value and its comment.

    Attributes:
        path: Dotted path, for example `train.early_stopping.patience`.
        value: Value in conf/base; a `dict` if the key holds further keys.
        comment: Text of the comment above the key or behind it.
        file: Name of the file that contains the key.
    """

    path: str
    value: Any
    comment: str
    file: str


# --- parameters of conf/base and their comments -------------------------------------------------


@cache
def parameters() -> tuple[Entry, ...]:
    """Return all keys of conf/base/parameters*.yml in file order, parents before children."""
    entries: list[Entry] = []
    for file in sorted((ROOT / "conf" / "base").glob("parameters*.yml")):
        text = file.read_text("utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if isinstance(root, yaml.MappingNode):
            entries += _entries(root, "", text.splitlines(), file.name)
    return tuple(entries)


def _entries(node: yaml.MappingNode, prefix: str, lines: list[str], file: str) -> Iterator[Entry]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        yield Entry(path, _plain(value), _comment(key, value, lines), file)
        if isinstance(value, yaml.MappingNode):
            yield from _entries(value, f"{path}.", lines, file)


def _plain(node: yaml.Node) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    return constructor.construct_document(node)


def _comment(key: yaml.Node, value: yaml.Node, lines: list[str]) -> str:
    """Join the comment lines above a key, the comment behind it and its continuation lines."""
    column, row = key.start_mark.column, key.start_mark.line
    above: list[str] = []
    while row > 0 and (text := _comment_line(lines[row - 1], indent=column)) is not None:
        above.insert(0, text)
        row -= 1
    last = value.end_mark if _ends_on_its_line(value) else key.end_mark
    behind = re.search(r"(?:^|\s)#\s?(.*)$", lines[last.line][last.column :])
    trailing = [behind[1]] if behind else []
    if behind:
        start = lines[last.line].index("#", last.column)
        for line in lines[last.line + 1 :]:
            text = _comment_line(line, indent=start)
            if text is None:
                break
            trailing.append(text)
    parts = (" ".join(above), " ".join(trailing))
    return " ".join(_sentence(part.strip()) for part in parts if part.strip())


def _comment_line(line: str, indent: int) -> str | None:
    found = re.fullmatch(r"( *)#\s?(.*)", line)
    return found[2] if found and len(found[1]) == indent else None


def _ends_on_its_line(value: yaml.Node) -> bool:
    block = isinstance(value, yaml.CollectionNode) and not value.flow_style
    return not block and getattr(value, "style", None) not in {"|", ">"}


# --- types and limits of the models ---------------------------------------------------------------


def section_model(section: str) -> type[Settings] | None:
    """Return the model of a section by its name: `train` is described by `TrainSettings`."""
    name = f"{section.capitalize()}Settings"
    models = (getattr(module, name, None) for module in load_modules("config").values())
    return next(filter(None, models), None)


@cache
def described_fields() -> dict[str, str]:
    """Return the dotted path of each field to its type and limits, in plain words."""
    described: dict[str, str] = {"seed": "integer"}
    for entry in parameters():
        if "." not in entry.path and (model := section_model(entry.path)):
            described |= _fields(model, f"{entry.path}.", entry.value)
    for name, module in load_modules("models/architectures").items():
        settings = module.ARCHITECTURE.settings
        described |= _fields(settings, f"train.architectures.{name}.", {})
    return described


def _fields(model: type[Settings], prefix: str, values: Any) -> dict[str, str]:
    described: dict[str, str] = {}
    for name, field in model.model_fields.items():
        path, value = f"{prefix}{name}", (values or {}).get(name)
        described[path] = describe_field(field)
        if nested := _settings_in(field.annotation):
            if typing.get_origin(field.annotation) is dict:
                for key, item in (value or {}).items():
                    described |= _fields(nested, f"{path}.{key}.", item)
            elif typing.get_origin(field.annotation) is not tuple:
                described |= _fields(nested, f"{path}.", value)
    return described


def _is_settings(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, Settings)


def _settings_in(annotation: Any) -> type[Settings] | None:
    if _is_settings(annotation):
        return typing.cast(type[Settings], annotation)
    found = (_settings_in(argument) for argument in typing.get_args(annotation))
    return next((model for model in found if model), None)


def describe_field(field: FieldInfo) -> str:
    """Return the type and the limits of a field in plain words."""
    return describe_type(field.annotation, field.metadata)


def describe_type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return a type in plain words, with the limits that its metadata states.

    Args:
        annotation: Type annotation of a pydantic field.
        metadata: Its metadata, as in `typing.Annotated`.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return describe_type(arguments[0], (*annotation.__metadata__, *metadata))
    if names := _registered_names(metadata):
        return _one_of(names)
    if origin is typing.Literal:
        text = _one_of(yaml_text(argument) for argument in arguments)
    elif origin in (typing.Union, types.UnionType):
        text = " or ".join(describe_type(argument) for argument in arguments)
    elif origin is tuple:
        item = "sections" if _is_settings(arguments[0]) else describe_type(arguments[0])
        text = f"list of {item}"
    elif origin is dict:
        text = f"mapping of {describe_type(arguments[0])} to {describe_type(arguments[1])}"
    elif _is_settings(annotation):
        text = "section"
    else:
        text = _SCALARS.get(annotation, str(annotation))
    limits = ", ".join(filter(None, map(_limit, _flat(metadata))))
    return f"{text}, {limits}" if limits else text


_SCALARS = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "`true` or `false`",
    type(None): "`null`",
    Any: "any value",
}


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


_LIMITS = {
    annotated_types.Gt: "> {0.gt:g}",
    annotated_types.Ge: ">= {0.ge:g}",
    annotated_types.Lt: "< {0.lt:g}",
    annotated_types.Le: "<= {0.le:g}",
    annotated_types.MinLen: "length >= {0.min_length}",
    annotated_types.MaxLen: "length <= {0.max_length}",
}


def _limit(item: Any) -> str:
    if template := _LIMITS.get(type(item)):
        return template.format(item)
    pattern = getattr(item, "pattern", None)
    return f"pattern `{pattern}`" if pattern else ""


def _registered_names(metadata: Iterable[Any]) -> tuple[str, ...]:
    for item in _flat(metadata):
        if isinstance(item, AfterValidator) and (folder := getattr(item.func, "args", None)):
            return (*folder[1], *module_names(folder[0]))
    return ()


def _one_of(values: Iterable[str]) -> str:
    quoted = [f"`{value}`" for value in values]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


# --- tables ---------------------------------------------------------------------------------------


def parameter_tables() -> str:
    """Return a heading and a table for each section of the parameters."""
    described = described_fields()
    parts = []
    for entry in parameters():
        if "." in entry.path:
            continue
        # Below a mapping that a model does not describe key by key, the mapping is one value.
        rows = [item for item in parameters() if _is_in(item.path, entry.path)]
        rows = [item for item in rows if item.path in described]
        covered = {item.path for item in rows}
        extra = [path for path in described if _is_in(path, entry.path) and path not in covered]
        about = _prose(_sentence(entry.comment)) if _holds_keys(entry) else ""
        parts += [f"## `{entry.path}`", "", f"{about} In `conf/base/{entry.file}`.".strip(), ""]
        parts += ['<div class="parameters" markdown>', ""]
        parts += ["| key | type and limits | default | meaning |", "| --- | --- | --- | --- |"]
        parts += [_row(item, described) for item in rows if item.comment or not _holds_keys(item)]
        parts += [f"| `{path}` | {cell(described[path])} | not set | |" for path in extra]
        parts += ["", "</div>", ""]
    return "\n".join(parts)


def _is_in(path: str, section: str) -> bool:
    return path == section or path.startswith(f"{section}.")


def _holds_keys(entry: Entry) -> bool:
    return isinstance(entry.value, dict) and bool(entry.value)


def _row(entry: Entry, described: dict[str, str]) -> str:
    kind = described[entry.path]
    default = "" if kind.startswith("section") else f"`{yaml_text(entry.value)}`"
    if len(default) > _LONGEST_DEFAULT:
        default = f"see `{entry.file}`"
    meaning = _prose(_sentence(entry.comment))
    return f"| `{entry.path}` | {cell(kind)} | {cell(default)} | {cell(meaning)} |"


def yaml_text(value: Any) -> str:
    """Return a value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _sentence(text: str) -> str:
    # "error: stop at bad rows" starts with a value, which keeps its case.
    starts_with_value = text.split(" ", 1)[0].endswith((":", ",", ";"))
    return text if starts_with_value else text[:1].upper() + text[1:]


def cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    """Escape what Markdown would interpret outside of code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _escape(part) for part in parts)


def _escape(text: str) -> str:
    return re.sub(r"([*_\[\]])", r"\\\1", text).replace("<", "&lt;")
