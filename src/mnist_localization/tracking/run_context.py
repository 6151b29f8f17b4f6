"""What a `kedro run` says about its W&B run before anything is logged."""

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config import WandbSettings

# A pipeline with none of these stages opens no run.
TRACKED_STAGES = ("train", "evaluate", "publish")
WHOLE_PIPELINE = "pipeline"
# Sections that publishing takes; those of other stages may hold URLs with secrets in them.
_PUBLISHING = ("publish", "evaluate", "dataset", "seed", "wandb")


@dataclass(frozen=True)
class RunContext:
    """The W&B run that a `kedro run` may open.

    Attributes:
        settings: The section `wandb`; none disables tracking.
        job_type: `train`, `evaluate`, `publish`, or `pipeline` for several of them.
        project_path: Root of the project; folders in receipts are relative to it.
        parameters: All parameters, resolved.
        credentials: The entry `wandb` of the Kedro credentials.
        env: Kedro environment, where it is not the default one.
        runtime_params: What `--params` set.
        history: Gives the history of the training that the model on disk is of; none where
            there is none.
    """

    settings: WandbSettings | None = None
    job_type: str = WHOLE_PIPELINE
    project_path: Path = field(default_factory=Path.cwd)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    env: str = ""
    runtime_params: Mapping[str, Any] = field(default_factory=dict)
    history: Callable[[], pd.DataFrame | None] = field(default=lambda: None, repr=False)

    @property
    def mode(self) -> str:
        """`auto`, `online`, `offline` or `disabled`: the parameter, else `WANDB_MODE`."""
        if self.settings is None:
            return "disabled"
        if self.settings.mode != "auto":
            return self.settings.mode
        wanted = os.environ.get("WANDB_MODE", "").strip().lower()
        wanted = {"dryrun": "offline", "run": "online"}.get(wanted, wanted)
        return wanted if wanted in {"online", "offline", "disabled"} else "auto"

    def shown(self, path: Path) -> str:
        """The path relative to the project, where it lies inside it."""
        root, path = self.project_path.resolve(), path.resolve()
        return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()

    def located(self, shown: str) -> Path:
        """The path that `shown` gave this form."""
        return self.project_path.resolve() / shown

    def publish_command(self) -> str:
        """The command that publishes what this run records, once a key is configured."""
        words = ["kedro", "run", "--pipeline=publish"]
        if self.env:
            words.append(f"--env={self.env}")
        taken = {name: value for name, value in self.runtime_params.items() if name in _PUBLISHING}
        params = dict(_flat(taken))
        if self.mode == "offline":
            params["wandb.mode"] = "online"
        if params:
            words.append(
                "--params=" + ",".join(f"{name}={value}" for name, value in params.items())
            )
        return "WANDB_API_KEY=<your key> " + shlex.join(words)


def job_type_of(tags: set[str]) -> str | None:
    """The job type of a pipeline whose nodes have these tags; none when it opens no run."""
    stages = [stage for stage in TRACKED_STAGES if stage in tags]
    if not stages:
        return None
    return stages[0] if len(stages) == 1 else WHOLE_PIPELINE


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs.extend(_flat(value, f"{prefix}{name}."))
        else:
            pairs.append((f"{prefix}{name}", "" if value is None else value))
    return pairs
