"""The W&B run of one `kedro run`: opened at the first thing logged, closed by the hooks."""

import atexit
import logging
import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from mnist_localization.config import WandbSettings
from mnist_localization.data.annotated_image import AnnotatedImage, validate
from mnist_localization.evaluation import Metrics
from mnist_localization.runtime import git_state, versions
from mnist_localization.tracking.client import is_uploaded
from mnist_localization.tracking.overlays import overlays
from mnist_localization.tracking.publication import Publication, losses_of
from mnist_localization.tracking.recorder import Recorder
from mnist_localization.tracking.report_text import flat_scores
from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.run_index import (
    RunEntry,
    RunIndex,
    described,
    new_run_index,
    pending,
    read_run_index,
    write_run_index,
)
from mnist_localization.tracking.uploader import Uploader

logger = logging.getLogger(__name__)

LEDGER = "runs.json"
Result = TypeVar("Result")


class Tracker:
    """One W&B run, recorded on disk, and uploaded beside it where W&B can be reached.

    Trouble with W&B is said in a warning and never stops a stage; only a box record that is
    not fit to be shown does.
    """

    def __init__(self, plan: RunContext, folder: Path) -> None:
        """Prepare a run; nothing is opened, read or written yet.

        Args:
            plan: What the `kedro run` says about its run.
            folder: Folder of the run_index and of all that W&B writes.
        """
        self._plan = plan
        self._folder = folder
        self._lock = threading.RLock()
        self._config: dict[str, Any] = {}
        self._recorder: Recorder | None = None
        self._entry: RunEntry | None = None
        self._ledger: RunIndex | None = None
        self._uplink = Uploader(plan, folder)
        self._has_opened = False
        self._is_broken = False

    @property
    def is_disabled(self) -> bool:
        """Whether nothing at all is recorded."""
        return self._plan.settings is None or self._plan.mode == "disabled"

    def start_training(self, facts: Mapping[str, Any], key: str = "") -> None:
        """Begin a training: its runs, in this process and in later ones, share a group.

        Args:
            facts: Added to the run's configuration: dataset card, fingerprints and the like.
            key: What tells this training from another. A training that did not come to its
                end goes on in its group when one with the same key is started.
        """

        def start() -> None:
            last = self._last_ledger()
            if last is None or last.trained or not key or last.key != key:
                last = new_run_index(self._settings.group, key, before=last)
            self._save(last)
            self._configure(facts)
            self._opened()

        self._shielded("start the run of the training", start)

    def end_training(self) -> None:
        """Say that the training came to its end: the next one starts a new group."""

        def end() -> None:
            run_index = self._current_ledger()
            run_index.trained = True
            self._save(run_index)

        self._shielded("note the end of the training", end)

    def log_epoch(
        self,
        epoch: int,
        logs: Mapping[str, float],
        records: Sequence[AnnotatedImage] = (),
        class_names: Sequence[str] = (),
    ) -> None:
        """Log one epoch as one row of the history: its metrics and its overlays.

        Args:
            epoch: Number of the epoch, from 1.
            logs: Keras' logs of it.
            records: The fixed sample, as the model sees it now; may be empty.
            class_names: Name of each class, in the order of the labels.

        Raises:
            RecordError: A record is not fit to be shown.
        """
        if self.is_disabled:
            return
        fit = validate(records, class_names)

        def log() -> None:
            recorder, entry = self._opened()
            row: dict[str, Any] = {f"epoch/{name}": float(value) for name, value in logs.items()}
            if not entry.losses:
                for metric in row:
                    recorder.keep_best(metric)
            row["epoch/epoch"] = epoch
            if fit:
                row["epoch/sample"] = overlays(fit, class_names)
            recorder.log(row)
            run_index = self._current_ledger()
            run_index.note_epoch(entry, epoch, row.get("epoch/loss", math.nan))
            self._save(run_index)

        self._shielded(f"log epoch {epoch}", log)

    def log_scores(self, metrics: Metrics) -> None:
        """Put the scores of the test split into the run's summary.

        Args:
            metrics: The dataset `metrics`.
        """

        def log() -> None:
            self._follow_model(self._plan.history)
            self._configure({"evaluated": metrics.dataset.model_dump()})
            recorder, _ = self._opened()
            recorder.summarize(flat_scores(metrics))

        self._shielded("log the scores", log)

    def publish(self, publication: Publication) -> dict[str, Any]:
        """Publish gallery, table, figures, scores and model; close the run; sync; report.

        What was published before, unchanged, opens no run. W&B trouble leaves everything on
        disk for the next call.

        Args:
            publication: What there is to publish.

        Returns:
            The receipt: `mode`, `group`, `runs` (id, job_type, folder, url), `report_url`,
            `sync_command`, and `unchanged` where there was nothing new.

        Raises:
            RecordError: A record of the gallery is not fit to be shown.
        """
        if self.is_disabled:
            return _empty_receipt()
        publication.check()
        content = publication.content_hash(self._settings)
        self._shielded(
            "read the run_index", lambda: self._follow_model(lambda: publication.history)
        )
        run_index = self._current_ledger()
        unchanged = run_index.published == content
        recorded = unchanged or self._shielded("publish", lambda: self._record(publication))
        self.close()
        if recorded:
            run_index.published = content
        self._shielded("bring W&B up to date", lambda: self._bring_up_to_date(publication))
        receipt = self._receipt(unchanged=unchanged)
        # Last: an old run that cannot be uploaded is no fault of what is published here.
        self._shielded("upload the runs of earlier trainings", self._upload_earlier)
        return receipt

    def close(self, error: BaseException | None = None) -> None:
        """Close the run, where one is open, and wait for its upload within the time limit.

        Args:
            error: What stopped the `kedro run`; it marks the run failed. Where nothing was
                logged before, a run is opened for it.
        """
        with self._lock:
            if error is not None and not self._has_opened:
                self._shielded("open a run for the failure", self._opened)
            recorder, entry = self._recorder, self._entry
            self._recorder = self._entry = None
            if recorder is None or entry is None:
                return
            atexit.unregister(self._close_interrupted)
            self._shielded("close the run", lambda: self._finish(recorder, error))
            entry.state = "finished" if error is None else "failed"
            self._shielded("finish the upload", lambda: self._settle_upload(entry))
            self._shielded("write the run_index", lambda: self._save(self._current_ledger()))
            logger.info(
                "W&B run %s (%s) %s: %s",
                entry.id,
                entry.job_type,
                "failed" if error else "recorded",
                entry.url or entry.folder,
            )

    # --- inside ---------------------------------------------------------------------------

    @property
    def _settings(self) -> WandbSettings:
        if self._plan.settings is None:
            raise LookupError("no section `wandb` among the parameters")
        return self._plan.settings

    @property
    def _ledger_path(self) -> Path:
        return self._folder / LEDGER

    def _shielded(self, what: str, work: Callable[[], Result]) -> Result | None:
        """Do the work; trouble with W&B becomes one warning."""
        if self.is_disabled or self._is_broken:
            return None
        with self._lock:
            try:
                return work()
            except Exception as error:
                said = self._uplink.redactor.text(f"{type(error).__name__}: {error}")
                logger.warning("W&B: could not %s (%s); the run goes on without", what, said)
                logger.debug("W&B trouble", exc_info=True)
                # What cannot even begin is said once, not at each epoch.
                self._is_broken = not self._has_opened
                return None

    def _opened(self) -> tuple[Recorder, RunEntry]:
        """The open run, opened now where none is."""
        if self._recorder is not None and self._entry is not None:
            return self._recorder, self._entry
        run_index = self._current_ledger()
        recorder = Recorder(
            self._folder,
            project=self._settings.project,
            entity=self._settings.entity,
            group=run_index.group,
            job_type=self._plan.job_type,
            config=self._uplink.redactor.value(self._first_config()),
        )
        self._has_opened = True
        entry = RunEntry(
            id=recorder.id,
            job_type=self._plan.job_type,
            folder=self._plan.shown(recorder.folder),
            group=run_index.group,
            pid=os.getpid(),
        )
        # Registered after the client's own, and so called before it.
        atexit.register(self._close_interrupted)
        run_index.runs.append(entry)
        self._recorder, self._entry = recorder, entry
        self._uplink.follow(recorder.folder)
        if self._uplink.reaches_server():
            entry.url = self._uplink.run_url(entry.id)
        self._save(run_index)
        logger.info("W&B run %s: %s", entry.id, entry.url or f"offline, in {entry.folder}")
        return recorder, entry

    def _first_config(self) -> dict[str, Any]:
        return {
            **self._plan.parameters,
            **git_state(self._plan.project_path),
            "versions": versions(),
            **self._config,
        }

    def _configure(self, facts: Mapping[str, Any]) -> None:
        """Add facts to the run's configuration, now or when it is opened."""
        self._config.update(facts)
        if self._recorder is not None:
            self._recorder.configure(self._uplink.redactor.value(facts))

    def _record(self, publication: Publication) -> bool:
        self._configure(publication.facts())
        recorder, entry = self._opened()
        # Those of a training that was not tracked; and the one whose end a kill has cut off.
        logged = self._current_ledger().losses()
        missing = {
            epoch: loss
            for epoch, loss in losses_of(publication.history).items()
            if epoch not in logged
        }
        publication.record_epochs(recorder, missing)
        entry.losses.update({str(epoch): loss for epoch, loss in missing.items()})
        publication.record(recorder, self._folder)
        return True

    def _bring_up_to_date(self, publication: Publication) -> None:
        """Upload what the server lacks, then make or update the report."""
        run_index = self._current_ledger()
        self._upload(run_index.runs)
        if self._uplink.reaches_server() and not pending(run_index.runs):
            report = self._uplink.save_report(
                publication.report(self._settings.project, run_index.group), run_index.report_id
            )
            if report is not None:
                run_index.report_id, run_index.report_url = report
        self._save(run_index)

    def _upload_earlier(self) -> None:
        run_index = self._current_ledger()
        self._upload(run_index.earlier)
        run_index.earlier = [run for run in run_index.earlier if not run.uploaded]
        self._save(run_index)

    def _upload(self, runs: Sequence[RunEntry]) -> None:
        """Upload those of the runs that the server lacks."""
        folders = {run.id: self._plan.located(run.folder) for run in pending(runs)}
        self._uplink.sync(list(folders.values()))
        for run in pending(runs):
            if is_uploaded(folders[run.id]):
                run.uploaded, run.url = True, self._uplink.run_url(run.id)

    def _receipt(self, *, unchanged: bool) -> dict[str, Any]:
        run_index = self._current_ledger()
        is_online = self._uplink.reaches_server()
        receipt: dict[str, Any] = {
            "mode": "online" if is_online else "offline",
            "group": run_index.group,
            "runs": described(run_index.runs),
            "report_url": run_index.report_url or None,
            "sync_command": None,
        }
        if not is_online or not run_index.report_url:
            receipt["sync_command"] = self._uplink.redactor.text(self._plan.publish_command())
        if unchanged:
            receipt["unchanged"] = True
            logger.info("W&B: nothing has changed since it was last published")
        return receipt

    def _follow_model(self, history: Callable[[], pd.DataFrame | None]) -> None:
        """Start a new run_index where the last one is of another training than the model.

        It is where a training was not tracked, or its tracking failed. What this process has
        trained or looked at before needs no second look.
        """
        if self._ledger is not None:
            return
        last, known = self._last_ledger(), history()
        if last is not None and known is not None and not last.is_of(losses_of(known)):
            self._ledger = new_run_index(self._settings.group, before=last)
            logger.info(
                "W&B: the model is of another training than the runs of group %s; its runs get "
                "a group of their own",
                last.group,
            )

    def _last_ledger(self) -> RunIndex | None:
        run_index = read_run_index(self._ledger_path)
        if run_index is not None:
            run_index.forget_missing(lambda folder: self._plan.located(folder).is_dir())
        return run_index

    def _current_ledger(self) -> RunIndex:
        if self._ledger is None:
            self._ledger = self._last_ledger() or new_run_index(self._settings.group)
            self._ledger.group = self._settings.group or self._ledger.group
        return self._ledger

    def _save(self, run_index: RunIndex) -> None:
        self._ledger = run_index
        write_run_index(run_index, self._ledger_path)

    def _finish(self, recorder: Recorder, error: BaseException | None) -> None:
        if error is not None:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            recorder.summarize({"error": self._uplink.redactor.text(said)})
        recorder.close(failed=error is not None)

    def _close_interrupted(self) -> None:
        self.close(InterruptedError("the run was interrupted"))

    def _settle_upload(self, entry: RunEntry) -> None:
        entry.uploaded = self._uplink.finish()
        if not entry.uploaded:
            entry.url = None


def _empty_receipt() -> dict[str, Any]:
    return {
        "mode": "disabled",
        "group": None,
        "runs": [],
        "report_url": None,
        "sync_command": None,
    }
