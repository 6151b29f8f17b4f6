"""Command `kedro init-dataset`: write an environment for the dataset in a folder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.inspection import Proposal, inspect_folder, to_yaml_text
from mnist_localization.errors import LocalizationError
from mnist_localization.files import atomic_path

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_RESERVED = ("base", "local")


@click.command(name="init-dataset")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the new environment, conf/<name>.")
@click.option("--annotations", default="", help="Annotation file or folder, relative to FOLDER.")
@click.pass_obj
def init_dataset(metadata: Any, folder: Path, name: str, annotations: str) -> None:
    """Inspect the dataset in FOLDER and write conf/<name>, which trains on it."""
    project = Path(metadata.project_path) if metadata is not None else Path.cwd()
    try:
        environment = _new_environment(project, name)
        if not folder.is_dir():
            raise LocalizationError(f"{folder}: is not a folder; name the folder of a dataset")
        base = yaml.safe_load((project / "conf/base/parameters.yml").read_text("utf-8"))
        settings = DatasetSettings.model_validate(base["dataset"])
        proposal = inspect_folder(folder, settings, annotations)
        with atomic_path(environment) as temporary:
            temporary.mkdir()
            text = environment_text(proposal, _configured_path(folder, project))
            (temporary / "parameters.yml").write_text(text, "utf-8")
            (temporary / "globals.yml").write_text(f"data: data/{name}\n", "utf-8")
    except LocalizationError as error:
        raise click.ClickException(str(error)) from None
    for line in summary_lines(proposal, name):
        click.echo(line)


def _new_environment(project: Path, name: str) -> Path:
    """Return the folder of a new environment."""
    if not _NAME.fullmatch(name):
        raise LocalizationError(
            f"{name!r} is not a name of an environment; use letters, digits, _ and -"
        )
    environment = project / "conf" / name
    if name in _RESERVED or environment.exists():
        raise LocalizationError(f"the environment {name!r} exists already; choose another name")
    return environment


def _configured_path(folder: Path, project: Path) -> Path:
    """Return a folder relative to the project if it is inside it, else as absolute path."""
    path, root = folder.resolve(), project.resolve()
    return path.relative_to(root) if path.is_relative_to(root) else path


def environment_text(proposal: Proposal, folder: Path) -> str:
    """Return the parameters of an environment as YAML with comments."""
    dataset = proposal.dataset
    image, annotations = dataset["image"], dataset["annotations"]
    lines = [
        "# Written by `kedro init-dataset`. conf/base explains each key.",
        "fetch:",
        "  source: folder",
        "  folder:",
        f"    path: {to_yaml_text(folder.as_posix())}",
        *_set_lines(proposal),
        "dataset:",
        "  image:",
        *(f"    {key}: {to_yaml_text(value)}" for key, value in image.items()),
        f"  class_names: {to_yaml_text(dataset['class_names'])}",
        "  whole_pixel_boxes: false",
        "  annotations:",
        *(f"    {key}: {to_yaml_text(value)}" for key, value in annotations.items()),
        "annotate:",
        f"  on_several: {'drop_image' if proposal.several else 'error'}"
        f"  # {proposal.several} images have several objects",
        f"  on_bad_rows: {'drop' if proposal.bad_rows else 'error'}"
        f"  # {proposal.bad_rows} rows cannot be used; `kedro run --pipelines=check` lists them",
        "split:",
        "  validation:",
        f"    source: {'given' if 'validation' in proposal.sets else 'train'}",
        "  test_share: 0.1  # only if there is no test set",
        "train:",
        "  epochs: 30",
        "  batch_size: 64",
    ]
    return "\n".join(lines) + "\n"


def _set_lines(proposal: Proposal) -> Iterator[str]:
    for name in ("train", "validation", "test"):
        images, annotations = proposal.sets.get(name, ("", ""))
        yield f"    {name}_images: {to_yaml_text(images)}"
        yield f"    {name}_annotations: {to_yaml_text(annotations)}"


def summary_lines(proposal: Proposal, name: str) -> list[str]:
    """Return what was found, and the next commands."""
    dataset = proposal.dataset
    classes = dataset["class_names"]
    images, annotations = zip(*proposal.sets.values(), strict=True)
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    return [
        f"Images:      {proposal.good_rows} with one object, in {', '.join(images)}",
        f"Annotations: {dataset['annotations']['format']}, in {', '.join(annotations)}",
        f"Classes:     {len(classes)}: {shown}",
        f"Left out:    {proposal.several} images of several objects, {proposal.bad_rows} bad rows",
        f"Written:     conf/{name}; change it if something is wrong",
        "Next:",
        f"  kedro run --env={name} --pipelines=fetch,check   # look at the dataset",
        f"  kedro run --env={name}                           # train, evaluate, report",
    ]
