"""MkDocs hook: fill pages with tables that are generated from the code and from `conf/base`.

A page contains a marker such as `<!-- generated: parameters -->`; `on_page_markdown` replaces it
with the result of the function of that name in `GENERATORS`. CONTRIBUTING.md and CHANGELOG.md,
which GitHub expects in the root folder, become pages of the site as well.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from _parameters import ROOT, cell, parameter_tables, yaml_text

from mnist_localization import backend  # noqa: F401  # isort: skip

from mnist_localization.config.train import PRESETS
from mnist_localization.evaluation.metrics import all_metrics
from mnist_localization.registry import load_modules

ROOT_PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
_MARKER = re.compile(r"<!-- generated: (\w+) -->")
_LONGEST_DEFAULT = 70

# --- pages ----------------------------------------------------------------------------------------


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((docstring or "").split("\n\n")[0].split())


def training_defaults() -> str:
    """Return a table of the training defaults of each architecture."""
    defaults = {
        name: {
            path: yaml_text(value)
            for path, value in _flattened(module.ARCHITECTURE.training_defaults.model_dump())
        }
        for name, module in load_modules("models/architectures").items()
    }
    keys = sorted({key for values in defaults.values() for key in values})
    rows = [
        (f"`train.{key}`", *(_code(values.get(key, "")) for values in defaults.values()))
        for key in keys
    ]
    return table(("key", *map(_code, defaults)), rows)


def augmentation_presets() -> str:
    """Return a table of the presets of the augmentation."""
    values = {name: preset.model_dump(exclude={"preset"}) for name, preset in PRESETS.items()}
    rows = [
        (f"`train.augmentation.{key}`", *(_code(yaml_text(each[key])) for each in values.values()))
        for key in values["none"]
    ]
    return table(("key", *map(_code, values)), rows)


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def described_modules(folder: str) -> str:
    """Return a table of the modules in a registry folder with the summary of their docstrings."""
    rows = [(_code(name), summary(module.__doc__)) for name, module in load_modules(folder).items()]
    return table(("name", "description"), rows)


def metrics() -> str:
    """Return a table of the metrics."""
    rows = [
        (
            _code(metric.key),
            metric.title,
            metric.unit,
            metric.interval or "",
            "higher" if metric.higher_is_better else "lower",
            metric.description,
        )
        for metric in all_metrics()
    ]
    return table(("key", "title", "unit", "95 % interval", "better", "description"), rows)


def charts() -> str:
    """Return a table of the charts."""
    rows = [
        (_code(name), module.CHART.title, module.CHART.caption)
        for name, module in load_modules("reporting/charts").items()
    ]
    return table(("name", "title", "caption"), rows)


def annotation_formats() -> str:
    """Return a table of the annotation formats."""
    rows = [
        (
            _code(name),
            _code(module.FORMAT.box_format or "") or "`dataset.annotations.csv_boxes`",
            summary(module.__doc__),
        )
        for name, module in load_modules("data/annotations/formats").items()
    ]
    return table(("name", "box format", "description"), rows)


def export_formats() -> str:
    """Return a table of the export formats."""
    rows = [
        (_code(name), _code(module.FORMAT.file_name), summary(module.__doc__))
        for name, module in load_modules("export/formats").items()
    ]
    return table(("name", "file", "description"), rows)


def modules() -> str:
    """Return a table of all modules of the package with the summary of their docstrings."""
    package = ROOT / "src" / "mnist_localization"
    rows = []
    for path in sorted(package.rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        rows.append((_code(path.relative_to(package).as_posix()), summary(docstring)))
    return table(("module", "contents"), rows)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


GENERATORS: dict[str, Callable[[], str]] = {
    "annotation_formats": annotation_formats,
    "augmentation_presets": augmentation_presets,
    "architectures": partial(described_modules, "models/architectures"),
    "charts": charts,
    "export_formats": export_formats,
    "losses": partial(described_modules, "models/losses"),
    "metrics": metrics,
    "modules": modules,
    "parameters": parameter_tables,
    "training_defaults": training_defaults,
}


# --- hooks that MkDocs calls ----------------------------------------------------------------------


def on_files(files: Any, config: Any) -> Any:
    """Add the pages whose source lies in the root folder."""
    from mkdocs.structure.files import File

    for page, source in ROOT_PAGES.items():
        text = (ROOT / source).read_text("utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page with generated tables."""
    return _MARKER.sub(lambda found: GENERATORS[found[1]](), markdown)
