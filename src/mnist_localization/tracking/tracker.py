"""Tracker of one `kedro run`: opens its W&B run at the first log, and publishes."""

import atexit
import functools
import logging
import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pandas as pd

from mnist_localization.data.annotated_image import AnnotatedImage, validate
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.errors import RecordError
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.models.provenance import Provenance
from mnist_localization.runtime import git_state, versions
from mnist_localization.tracking.client import Client
from mnist_localization.tracking.model_link import ModelLink
from mnist_localization.tracking.publication import (
    MODEL,
    Publication,
    dataset_name,
    flat_scores,
    log_dataset,
    losses_of,
    model_name,
    overlays,
)
from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.run_index import Receipt, ReceiptRun, RunEntry, RunIndex

if TYPE_CHECKING:
    import wandb

logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

INDEX_FILE = "runs.json"
_FINGERPRINTS = ("train_fingerprint", "validation_fingerprint")


def _protected(action: str) -> Callable[[F], F]:
    """Return a decorator that turns errors of a method into one warning; see `protect`."""

    def decorate(method: F) -> F:
        @functools.wraps(method)
        def call(tracker: "Tracker", *args: Any, **kwargs: Any) -> Any:
            return tracker.protect(action, functools.partial(method, tracker, *args, **kwargs))

        return cast("F", call)

    return decorate


class Tracker:
    """Logs one `kedro run` to W&B.

    A problem with W&B is logged as a warning and never stops a stage. Only a box that cannot be
    drawn does (`RecordError`).
    """

    def __init__(self, context: RunContext, folder: Path) -> None:
        """Prepare a run, whose files are all in `folder`, without reading or writing anything."""
        self._context = context
        self._folder = folder
        self._client = Client(context, folder)
        self._lock = threading.RLock()
        self._config: dict[str, Any] = {}
        self._current: tuple[wandb.Run, RunEntry] | None = None
        self._index: RunIndex | None = None
        self._has_opened = False
        self._is_broken = False

    @property
    def is_disabled(self) -> bool:
        """Return whether nothing is recorded."""
        return self._context.mode == "disabled"

    def run_facts(self) -> dict[str, Any]:
        """Return parameters, command and commit of the `kedro run`, without secrets."""
        context = self._context
        facts = {"parameters": context.parameters, "command": context.repeat_command()}
        cleaned: dict[str, Any] = self._client.redactor.value(facts)
        return cleaned | git_state(context.project_path)

    @_protected("start the run of the training")
    def start_training(self, card: DatasetCard, provenance: Provenance, key: str = "") -> None:
        """Open the run of a training; its runs, also in later processes, share a group.

        An interrupted training continues in its group if one with the same key is started.
        """
        index = self._saved_index()
        if index is None or index.trained or not key or index.key != key:
            index = RunIndex.create(self._context.group, key, before=index)
        facts = provenance.to_json()
        index.fingerprints = {name: facts[name] for name in _FINGERPRINTS if name in facts}
        self._save(index)
        run, entry = self._open({"training": facts, "dataset_card": card.model_dump(mode="json")})
        entry.inputs.setdefault(dataset_name(card), False)
        self._save(index)
        self._client.log(run, lambda: self._log_dataset(run, card))

    @_protected("note the end of the training")
    def end_training(self) -> None:
        """Note that the training is complete, so that the next one starts a new group."""
        index = self._current_index()
        index.trained = True
        self._save(index)

    @_protected("log an epoch")
    def log_epoch(
        self,
        epoch: int,
        logs: Mapping[str, float],
        sample: Sequence[AnnotatedImage] = (),
        class_names: Sequence[str] = (),
    ) -> None:
        """Log metrics and overlays of an epoch, from 1, as one row of the history.

        The logs are those of Keras. The sample, which may be empty, has the boxes of the epoch.
        """
        images = validate(sample, class_names)
        run, entry = self._open()
        row: dict[str, Any] = {f"epoch/{name}": float(value) for name, value in logs.items()}
        if not entry.losses:
            for name in row:
                _keep_best(run, name)
        row["epoch/epoch"] = epoch
        if images:
            row["epoch/sample"] = overlays(images, class_names)
        run.log(row)
        index = self._current_index()
        index.note_epoch(entry, epoch, row.get("epoch/loss", math.nan))
        self._save(index)

    @_protected("log the scores")
    def log_scores(self, metrics: Metrics) -> None:
        """Put the scores of the test split into the summary of the run."""
        self._follow_model(self._context.history)
        run, entry = self._open({"evaluated": metrics.dataset.model_dump()})
        run.summary.update(flat_scores(metrics))
        entry.has_scores = True
        self._save(self._current_index())

    def publish(self, publication: Publication, best: str = "") -> Receipt:
        """Publish, close the run, upload everything, save the report and link the best model.

        `best` is the name of the best run, if there is one.
        Content that was published before opens no run. After a problem with W&B, everything is on
        disk for the next call.
        """
        if self.is_disabled:
            return Receipt()
        content = publication.content_hash(self._context.project, self._context.entity)
        self.protect("read the run index", lambda: self._follow_model(lambda: publication.history))
        index = self._current_index()
        unchanged = index.published == content
        if unchanged:
            logger.info("W&B: nothing has changed since the last publication")
        elif self._record(publication, content):
            index.published = content
        link = ModelLink(self._client, self._context, index, model_name(content))
        if index.published == content:
            link.request(publication.run, best)
        self.protect("close the run", self._close_run)
        self._upload(index.runs)
        is_online = bool(self.protect("use the server", lambda: self._client.is_online))
        if is_online and all(run.uploaded for run in index.runs):
            self._save_report(publication)
        self.protect("link the model", link.make)
        command = None
        if not is_online or not index.report_url:
            command = self._client.redactor.text(self._context.publish_command())
        receipt = Receipt(
            mode="online" if is_online else "offline",
            group=index.group,
            runs=tuple(ReceiptRun.model_validate(run) for run in index.runs),
            report_url=index.report_url or None,
            sync_command=command,
            unchanged=unchanged,
            linked=link.target,
        )
        # Last, because an old run that cannot be uploaded must not affect the receipt.
        self._upload(index.earlier)
        # The best model may be one of an old run.
        self.protect("link the model", link.make)
        link.log_missing()
        index.earlier = [run for run in index.earlier if not run.uploaded]
        self.protect("save the run index", lambda: self._save(index))
        self.protect("close the client", self._client.close)
        return receipt

    def close(self, error: BaseException | None = None) -> None:
        """Close the run, if one is open, and wait for its upload within the limit.

        The error that stopped the `kedro run` marks the run as failed. If nothing was logged
        before, a run is opened for it.
        """
        with self._lock:
            if error is not None and not self._has_opened:
                self.protect("open a run for the error", self._open)
            current = self._current
            self.protect("close the run", lambda: self._close_run(error))
            if current is not None and not current[1].uploaded and self._client.is_online:
                self._client.give_up(f"run {current[1].id} is not uploaded completely")
            self.protect("close the client", self._client.close)

    def protect(self, action: str, work: Callable[[], T]) -> T | None:
        """Do work; log an error as one warning and return `None`."""
        if self.is_disabled or self._is_broken:
            return None
        with self._lock:
            try:
                return work()
            except RecordError:
                raise
            except Exception as error:
                text = self._client.redactor.text(f"{type(error).__name__}: {error}")
                logger.warning("W&B: cannot %s (%s); the run continues without it", action, text)
                logger.debug("W&B problem", exc_info=True)
                # If no run can be opened, one warning is enough.
                self._is_broken = not self._has_opened
                return None

    def _open(
        self, facts: Mapping[str, Any] | None = None, *, offline: bool = False
    ) -> tuple["wandb.Run", RunEntry]:
        """Return the open run, and open it first if necessary; add facts to its configuration."""
        self._config.update(facts or {})
        if self._current is not None:
            if facts:
                config: Any = self._current[0].config
                config.update(self._client.redactor.value(facts), allow_val_change=True)
            return self._current
        context, index = self._context, self._current_index()
        checkout = {**git_state(context.project_path), "versions": versions()}
        config = {**context.parameters, **checkout, **self._config}
        run = self._client.open_run(index.group, config, offline=offline)
        run.define_metric("epoch/epoch", hidden=True)
        run.define_metric("epoch/*", step_metric="epoch/epoch")
        self._has_opened = True
        entry = RunEntry(
            id=str(run.id),
            job_type=context.job_type,
            folder=context.relative(Path(run.sync_dir)),
            project=context.project,
            entity=context.entity,
            group=index.group,
            url=None if run.offline else run.url,
            pid=os.getpid(),
        )
        # Registered after the exit function of the client, so it runs before it.
        atexit.register(self._close_interrupted)
        index.runs.append(entry)
        self._current = run, entry
        self._save(index)
        logger.info("W&B run %s: %s", entry.id, entry.url or f"offline, in {entry.folder}")
        return run, entry

    def _close_run(self, error: BaseException | None = None) -> None:
        if self._current is None:
            return
        (run, entry), self._current = self._current, None
        atexit.unregister(self._close_interrupted)
        if error is not None:
            text = f"{type(error).__name__}: {error}".removesuffix(": ")
            run.summary.update({"error": self._client.redactor.text(text)})
        entry.state = "finished" if error is None else "failed"
        entry.url = None
        if self._client.close_run(run, failed=error is not None):
            self._client.settle([entry])
        self._save(self._current_index())
        place = entry.url or entry.folder
        logger.info("W&B run %s (%s) %s: %s", entry.id, entry.job_type, entry.state, place)

    def _close_interrupted(self) -> None:
        self.close(InterruptedError("the run was interrupted"))

    @_protected("publish")
    def _record(self, publication: Publication, content: str) -> bool:
        """Record a publication, a second time offline if its upload fails.

        The file of an online run does not contain its artifacts and tables, so `wandb sync` cannot
        upload them later. The file of an offline run does.
        """
        entry = self._log_publication(publication, content)
        if entry.url is not None:
            self._close_run()
            if not entry.uploaded:
                self._log_publication(publication, content, offline=True)
        return True

    def _log_publication(
        self, publication: Publication, content: str, *, offline: bool = False
    ) -> RunEntry:
        run, entry = self._open(publication.config(), offline=offline)
        index = self._current_index()
        # Epochs of a training that was not tracked, and the last one before a kill.
        losses, logged = losses_of(publication.history), index.losses()
        missing = {epoch: loss for epoch, loss in losses.items() if epoch not in logged}
        publication.log_epochs(run, missing)
        entry.losses.update(missing)
        model = model_name(content)
        entry.outputs = [model]
        for other in index.runs:
            if other.has_scores and not any(name.startswith(MODEL) for name in other.inputs):
                other.inputs[model] = False

        def log() -> None:
            self._log_dataset(run, publication.dataset_card)
            publication.log(run, self._folder, alias=model.partition(":")[2])

        self._client.log(run, log)
        return entry

    def _log_dataset(self, run: "wandb.Run", card: DatasetCard) -> None:
        url = self._client.redactor.text(self._context.source_url(card))
        log_dataset(run, card, url, self._current_index().fingerprints, self._folder)

    @_protected("upload the runs")
    def _upload(self, runs: Sequence[RunEntry]) -> None:
        """Upload what the server does not have of the runs."""
        pending = {run.id: self._context.absolute(run.folder) for run in runs if run.is_pending}
        synced = self._client.sync(list(pending.values()))
        self._client.settle([run for run in runs if run.uploaded or pending.get(run.id) in synced])

    @_protected("save the report")
    def _save_report(self, publication: Publication) -> None:
        from mnist_localization.tracking.report import save_report

        context, index = self._context, self._current_index()

        def save() -> str:
            entity = context.entity or str(self._client.api().default_entity)
            return save_report(publication, entity, context.project, index.group, index.report_url)

        index.report_url = self._client.ask("save the report", save) or index.report_url

    def _follow_model(self, history: Callable[[], pd.DataFrame | None]) -> None:
        """Start a new index if the last one is of another training than the model.

        This happens if a training was not tracked or its tracking failed. If this process has
        trained the model or checked it before, there is nothing to do.
        """
        if self._index is not None:
            return
        index, known = self._saved_index(), history()
        if index is not None and known is not None and not index.matches(losses_of(known)):
            self._index = RunIndex.create(self._context.group, before=index)
            logger.info(
                "W&B: the model is of another training than the runs of group %s; its runs get a "
                "new group",
                index.group,
            )

    def _saved_index(self) -> RunIndex | None:
        index = RunIndex.read(self._folder / INDEX_FILE)
        if index is not None:
            index.forget_missing(lambda folder: self._context.absolute(folder).is_dir())
        return index

    def _current_index(self) -> RunIndex:
        if self._index is None:
            self._index = self._saved_index() or RunIndex.create(self._context.group)
            self._index.group = self._context.group or self._index.group
        return self._index

    def _save(self, index: RunIndex) -> None:
        self._index = index
        index.save(self._folder / INDEX_FILE)


def _keep_best(run: "wandb.Run", metric: str) -> None:
    """Keep the best value of a metric in the summary instead of the last one."""
    if metric.endswith("loss"):
        run.define_metric(metric, step_metric="epoch/epoch", summary="min")
    elif metric.endswith(("accuracy", "iou")):
        run.define_metric(metric, step_metric="epoch/epoch", summary="max")
