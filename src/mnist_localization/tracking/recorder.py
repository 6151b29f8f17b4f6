"""Recording a W&B run on disk: always locally, so that no server can stall or lose it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Everything W&B writes lies in one folder of the project: what a later sync needs is found
# again, and nothing is left in the user's home.
_FOLDERS = {
    "WANDB_DATA_DIR": "data",
    "WANDB_CACHE_DIR": "cache",
    "WANDB_CONFIG_DIR": "config",
    "WANDB_ARTIFACT_DIR": "artifacts",
}


def folder_environment(folder: Path) -> dict[str, str]:
    """Environment variables that keep all files of the W&B client in one folder."""
    root = folder.resolve()
    return {
        "WANDB_DIR": str(root),
        **{name: str(root / sub) for name, sub in _FOLDERS.items()},
    }


class Recorder:
    """One run, recorded offline until it is closed."""

    def __init__(
        self,
        folder: Path,
        *,
        project: str,
        entity: str,
        group: str,
        job_type: str,
        config: Mapping[str, Any],
    ) -> None:
        """Open the run.

        Args:
            folder: Folder of all that W&B writes.
            project: W&B project.
            entity: W&B user or team; empty for the account's default.
            group: Name shared by the runs of one training.
            job_type: `train`, `evaluate`, `publish` or `pipeline`.
            config: The run's configuration.
        """
        self._environment = _Environment(folder_environment(folder))
        for path in self._environment.values.values():
            Path(path).mkdir(parents=True, exist_ok=True)
        self._environment.set()
        try:
            import wandb

            self.run = wandb.init(
                project=project,
                entity=entity or None,
                group=group,
                job_type=job_type,
                name=f"{job_type}-{group}",
                config=dict(config),
                mode="offline",
                dir=str(folder.resolve()),
                reinit="create_new",
                settings=_quiet_settings(),
            )
        except BaseException:
            self._environment.restore()
            raise
        self._define_metrics()

    @property
    def id(self) -> str:
        """The run's id on W&B."""
        return str(self.run.id)

    @property
    def folder(self) -> Path:
        """The folder with the run's files."""
        return Path(self.run.settings.sync_dir)

    def log(self, row: Mapping[str, Any]) -> None:
        """Add one row to the history."""
        self.run.log(dict(row))

    def configure(self, facts: Mapping[str, Any]) -> None:
        """Add to the run's configuration, or change it."""
        self.run.config.update(dict(facts), allow_val_change=True)  # type: ignore[no-untyped-call]

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Add to the run's summary, or change it."""
        self.run.summary.update(dict(values))

    def keep_best(self, metric: str) -> None:
        """Keep the best value of a metric of the epochs in the summary, not the last one."""
        if best := _best_of(metric):
            self.run.define_metric(metric, step_metric="epoch/epoch", summary=best)

    def close(self, *, failed: bool = False) -> None:
        """Finish the run; its file on disk is then complete.

        Args:
            failed: Whether the run is marked failed.
        """
        import wandb

        exit_code = 1 if failed else 0
        try:
            self.run.finish(exit_code=exit_code)
            # Only this makes the client's service write out the end of the file.
            wandb.teardown(exit_code=exit_code)
        finally:
            self._environment.restore()

    def _define_metrics(self) -> None:
        self.run.define_metric("epoch/epoch", hidden=True)
        self.run.define_metric("epoch/*", step_metric="epoch/epoch")


def _best_of(metric: str) -> str | None:
    if metric.endswith("loss"):
        return "min"
    return "max" if metric.endswith(("accuracy", "iou")) else None


def _quiet_settings() -> Any:
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        save_code=False,
        # Nothing of the machine or its user; versions and the commit are recorded by us.
        disable_git=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        host="",
        x_save_requirements=False,
        # Seconds until a row can be seen by whoever reads the file while it grows.
        x_transaction_log_flush_interval=2.0,
    )


class _Environment:
    """Environment variables that are set for a while."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self._before: dict[str, str | None] = {}

    def set(self) -> None:
        # A mode or a run id from outside would overrule what is decided here.
        overruling = dict.fromkeys(("WANDB_MODE", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_SERVICE"))
        wanted: dict[str, str | None] = {**self.values, **overruling}
        self._before = {name: os.environ.get(name) for name in wanted}
        _apply(wanted)

    def restore(self) -> None:
        _apply(self._before)


def _apply(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
