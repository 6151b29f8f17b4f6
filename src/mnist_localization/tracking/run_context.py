"""Settings of the W&B run of one `kedro run`: mode, names, the command to publish, redaction."""

import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mnist_localization.config.results import WandbSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.runs import flattened

DEFAULT_PROJECT = "mnist-localization"
# A pipeline without any of these stages opens no run.
_STAGES = ("train", "evaluate", "publish")
# Sections that `publish` uses. Other sections may contain URLs with secrets.
_PUBLISHING = ("publish", "evaluate", "dataset", "seed", "wandb")
_MASK = "***"
_SECRET_NAME = re.compile(r"(^|[_\-.])(api_?key|password|passwd|secret|token)$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
# The query of a URL, and `?name=value` anywhere, because an error may name the path alone.
_QUERY = re.compile(r"""(://[^\s?"<>]*)\?[^\s"<>]+|\?[^\s"<>?=&]+=[^\s"<>]*""")


@dataclass(frozen=True)
class RunContext:
    """Facts about a `kedro run` that its W&B run needs.

    Project, entity, group, name and tags are taken from the parameters, then from the environment,
    then from a default.

    Attributes:
        settings: The section `wandb`; `None` disables tracking.
        job_type: `train`, `evaluate`, `publish`, or `pipeline` for several of them.
        credentials: The entry `wandb` of the Kedro credentials.
        env: Kedro environment, if it is not the default one.
        history: Returns the training history of the model on disk, or `None`.
    """

    settings: WandbSettings | None = None
    job_type: str = "pipeline"
    project_path: Path = field(default_factory=Path.cwd)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    env: str = ""
    runtime_params: Mapping[str, Any] = field(default_factory=dict)
    history: Callable[[], pd.DataFrame | None] = field(default=lambda: None, repr=False)

    @property
    def mode(self) -> str:
        """Return `auto`, `online`, `offline` or `disabled`: the parameter, else `WANDB_MODE`."""
        if self.settings is None:
            return "disabled"
        if self.settings.mode != "auto":
            return self.settings.mode
        mode = os.environ.get("WANDB_MODE", "").strip().lower()
        mode = {"dryrun": "offline", "run": "online"}.get(mode, mode)
        return mode if mode in {"online", "offline", "disabled"} else "auto"

    @property
    def project(self) -> str:
        """Return the W&B project."""
        return self._configured("project", "WANDB_PROJECT") or DEFAULT_PROJECT

    @property
    def entity(self) -> str:
        """Return the W&B user or team; empty for the default of the account."""
        return self._configured("entity", "WANDB_ENTITY")

    @property
    def group(self) -> str:
        """Return the configured group of the runs of one training; empty if there is none."""
        return self._configured("group", "WANDB_RUN_GROUP")

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of the run."""
        tags = tuple(self.settings.tags) if self.settings else ()
        given = (tag.strip() for tag in os.environ.get("WANDB_TAGS", "").split(","))
        return tags or tuple(tag for tag in given if tag)

    def name(self, group: str) -> str:
        """Return the display name of the run in a group."""
        return self._configured("name", "WANDB_NAME") or f"{self.job_type}-{group}"

    def source_url(self, card: DatasetCard) -> str:
        """Return the URL that a dataset was fetched from; empty for a local one."""
        url = card.base_url
        if card.source == "upstream":
            url = str(self.parameters.get("fetch", {}).get("upstream", {}).get("url", ""))
        return url if "://" in url else ""

    def relative(self, path: Path) -> str:
        """Return the path relative to the project, or as it is if it is outside."""
        root, path = self.project_path.resolve(), path.resolve()
        return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()

    def absolute(self, path: str) -> Path:
        """Return the absolute path of a result of `relative`."""
        return self.project_path.resolve() / path

    def publish_command(self) -> str:
        """Return the command that uploads the runs and publishes, once a key is configured."""
        words = ["kedro", "run", "--pipelines=publish"]
        if self.env:
            words.append(f"--env={self.env}")
        used = {name: value for name, value in self.runtime_params.items() if name in _PUBLISHING}
        params = {name: "" if value is None else value for name, value in flattened(used).items()}
        if self.mode == "offline":
            params["wandb.mode"] = "online"
        if params:
            words.append("--params=" + ",".join(f"{key}={value}" for key, value in params.items()))
        return "WANDB_API_KEY=<your key> " + shlex.join(words)

    def repeat_command(self) -> str:
        """Return the command that repeats the stages up to the evaluation."""
        return kedro_command("fetch,annotate,split,train,evaluate", self.env, self.runtime_params)

    def _configured(self, name: str, variable: str) -> str:
        return getattr(self.settings, name, "") or os.environ.get(variable, "").strip()


def kedro_command(pipelines: str, env: str, runtime_params: Mapping[str, Any]) -> str:
    """Return the command `kedro run` with the given options, each empty one left out."""
    words = ["kedro", "run"]
    if pipelines:
        words.append(f"--pipelines={pipelines}")
    if env:
        words.append(f"--env={env}")
    params = [
        f"{name}={_parameter_text(value)}" for name, value in flattened(runtime_params).items()
    ]
    if params:
        words.append("--params=" + ",".join(params))
    return shlex.join(words)


def _parameter_text(value: Any) -> str:
    """Return a value as `--params` parses it: as YAML, in which a text may need quotes."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        is_plain = yaml.safe_load(value) == value
    except yaml.YAMLError:
        is_plain = False
    return value if is_plain else json.dumps(value)


def job_type_of(tags: set[str]) -> str | None:
    """Return the job type of a pipeline from the tags of its nodes; `None` if it opens no run."""
    stages = [stage for stage in _STAGES if stage in tags]
    if len(stages) > 1:
        return "pipeline"
    return stages[0] if stages else None


class Redactor:
    """Removes secrets from text and values that are logged, recorded or sent."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets = sorted({text for text in secrets if text}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text without secrets and without user, password and query of its URLs."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        text = _USER_INFO.sub(f"{_MASK}@", text)
        return _QUERY.sub(lambda found: f"{found[1] or ''}?{_MASK}", text)

    def value(self, value: Any) -> Any:
        """Return the value as plain JSON types, with secrets removed from its strings."""
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): _MASK
                if item and _SECRET_NAME.search(str(name))
                else self.value(item)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))
