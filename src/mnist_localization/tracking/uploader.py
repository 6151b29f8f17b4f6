"""The way to a W&B server: what is recorded is uploaded beside, within a limit of time."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mnist_localization.tracking.client import Client, is_uploaded
from mnist_localization.tracking.recorder import folder_environment
from mnist_localization.tracking.redaction import Redactor
from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.server import Server, ServerError, find_server

logger = logging.getLogger(__name__)

# Of the limit, what the first question may take: the rest is left for trouble later on.
_FIRST_SHARE = 1 / 3
# A server that takes the uploads slowly may cost so many times what one that stalls may.
_PATIENCE = 4


class Uploader:
    """Uploads to the configured server until it fails once; says so in one warning.

    A server that does not answer costs at most `timeout_s` in all: the silence of each wait
    counts, whatever its end, and after the first failure nothing waits any more. One that
    takes the uploads, but slowly, costs at most four times as much in all.
    """

    def __init__(self, plan: RunContext, folder: Path) -> None:
        """Prepare the way; no server is asked before something is to be uploaded.

        Args:
            plan: What the `kedro run` says about its W&B run.
            folder: Folder of all that W&B writes.
        """
        self._plan = plan
        self._folder = folder
        self._entity: str | None = None
        self._is_lost = False
        self._left_s = plan.settings.timeout_s if plan.settings else 0.0
        self._longest_s = self._left_s * _PATIENCE
        self._live: tuple[Client, Path] | None = None

    @cached_property
    def server(self) -> Server:
        """The configured server; its key is empty when none is configured."""
        return find_server(self._plan.credentials)

    def reaches_server(self) -> bool:
        """Whether runs go to the server; asks it, the first time, within the limit."""
        if self._is_lost or self._plan.mode in {"offline", "disabled"}:
            return False
        if self._entity is None:
            self._connect()
        return not self._is_lost

    def follow(self, folder: Path) -> None:
        """Upload a run while it is recorded.

        Args:
            folder: The run's files.
        """
        if self.reaches_server():
            self._live = self._start_sync([folder], live=True), folder

    def finish(self) -> bool:
        """Wait for the upload of the run that is followed.

        Returns:
            Whether the server has all of it.
        """
        if self._live is None:
            return False
        (client, folder), self._live = self._live, None
        logger.info("W&B: uploading what is left of the run")
        self._wait(client)
        if is_uploaded(folder):
            return True
        if client.timed_out:
            self._lose(f"{self.server.url} does not take the upload in time")
            return False
        return self.sync([folder])

    def sync(self, folders: Sequence[Path]) -> bool:
        """Upload runs that are closed.

        Args:
            folders: Their files.

        Returns:
            Whether the server has all of them.
        """
        missing = [folder for folder in folders if not is_uploaded(folder)]
        if not missing:
            return True
        if not self.reaches_server():
            return False
        logger.info("W&B: uploading %d run(s)", len(missing))
        client = self._start_sync(missing, live=False)
        self._wait(client)
        if all(is_uploaded(folder) for folder in missing):
            return True
        self._lose(f"{self.server.url} does not take the upload ({client.said})")
        return False

    def save_report(self, report: Mapping[str, Any], report_id: str) -> tuple[str, str] | None:
        """Save the W&B Report.

        Args:
            report: What it says; see `tracking.report`.
            report_id: Id of the report to update; empty makes a new one.

        Returns:
            Its id and its page; none where it could not be saved.
        """
        if not self.reaches_server():
            return None
        asked = time.monotonic()
        try:
            known = bool(report_id) and self.server.has_report(report_id, self._left_s)
        except ServerError as error:
            self._lose(str(error))
            return None
        self._left_s = max(0.0, self._left_s - (time.monotonic() - asked))
        spec = {**report, "entity": self._entity, "id": report_id if known else ""}
        client = Client({"name": "report", "report": spec}, self._environment())
        self._wait(client)
        if client.timed_out:
            self._lose(f"{self.server.url} does not take the report in time")
            return None
        if client.answer is None:
            logger.warning(
                "W&B: the runs are uploaded, but not the report (%s)",
                self.redactor.text(client.said),
            )
            return None
        return client.answer["id"], client.answer["url"]

    def run_url(self, run_id: str) -> str | None:
        """Page of an uploaded run; none while no server has answered whose it is."""
        if self._entity is None:
            return None
        import wandb

        settings = self._plan.settings
        project = settings.project if settings else ""
        override = os.environ.get("WANDB_APP_URL")
        app = wandb.Settings(base_url=self.server.url, app_url_override=override).app_url
        return f"{app}/{self._entity}/{project}/runs/{run_id}"

    @cached_property
    def redactor(self) -> Redactor:
        """Cuts every key that is configured out of what is recorded and said."""
        return Redactor([self.server.key, str(self._plan.credentials.get("api_key") or "")])

    # --- inside ---------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self.server.key:
            self._is_lost = True
            if self._plan.mode == "online":
                logger.warning(
                    "W&B: wandb.mode is online, but no API key is configured for %s; the run is "
                    "recorded offline. Set WANDB_API_KEY, or see the README for other places.",
                    self.server.url,
                )
            return
        asked = time.monotonic()
        try:
            entity = self.server.default_entity(self._left_s * _FIRST_SHARE)
        except ServerError as error:
            self._lose(str(error))
            return
        self._left_s -= time.monotonic() - asked
        configured = self._plan.settings.entity if self._plan.settings else ""
        self._entity = configured or os.environ.get("WANDB_ENTITY") or entity

    def _wait(self, client: Client) -> None:
        started = time.monotonic()
        silent = client.wait(self._left_s, self._longest_s)
        self._left_s = max(0.0, self._left_s - silent)
        self._longest_s -= time.monotonic() - started

    def _lose(self, why: str) -> None:
        self._is_lost = True
        if self._live is not None:
            self._live[0].kill()
            self._live = None
        logger.warning(
            "W&B: %s; the run goes on offline and nothing is lost. Upload it later by: %s",
            self.redactor.text(why),
            self.redactor.text(self._plan.publish_command()),
        )

    def _start_sync(self, folders: Sequence[Path], *, live: bool) -> Client:
        task = {"name": "sync", "live": live, "folders": [str(path) for path in folders]}
        return Client(task, self._environment())

    def _environment(self) -> dict[str, str]:
        return {
            **folder_environment(self._folder),
            "WANDB_BASE_URL": self.server.url,
            "WANDB_API_KEY": self.server.key,
            "WANDB_MODE": "online",
            "WANDB_SILENT": "false",
            "WANDB_PROGRAM": "kedro run",
        }
