"""W&B client: opens and closes runs, uploads them, and limits the time spent on waiting.

No documented setting limits all waits of the client: `Run.log_artifact` and `wandb.Api` may wait
for every request. So each call that needs the server runs in a daemon thread and is given up when
the limit of the `kedro run` is reached. Closed runs are uploaded by the command `wandb sync`.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from mnist_localization.tracking.run_context import Redactor, RunContext
from mnist_localization.tracking.run_index import RunEntry

if TYPE_CHECKING:
    import wandb

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Share of the limit for opening a run, and for the upload when it is closed.
_SHARE = 1 / 3
# Seconds that the client may exceed its own limits by.
_MARGIN_S = 1.0
# Seconds for the shutdown of a client that waits for the server.
_SHUTDOWN_S = 2.0
# An upload that progresses may take this many times what is left of the limit.
_PATIENCE = 4
_SYNC = (sys.executable, "-m", "wandb", "sync", "--include-online", "--include-synced")
# Start of a line of `wandb sync` about a problem, such as another attempt.
_TROUBLE = ("wandb: WARNING", "wandb: ERROR")
_ERROR_LENGTH = 300

# All files of the client stay inside the project, because `wandb sync` needs them later.
_FOLDERS = {
    "WANDB_DIR": "",
    "WANDB_DATA_DIR": "data",
    "WANDB_CACHE_DIR": "cache",
    "WANDB_ARTIFACT_DIR": "artifacts",
}
# No output, no telemetry, and no mode, run or service of another program.
_SWITCHES: dict[str, str | None] = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
_SWITCHES |= dict.fromkeys(("WANDB_MODE", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_SERVICE"))


class Client:
    """W&B client of one `kedro run`.

    After the first failure of the server everything is recorded offline, nothing waits for the
    server any more, and one warning is logged.
    """

    def __init__(self, context: RunContext, folder: Path) -> None:
        """Prepare the client, whose files are all in `folder`, without importing wandb."""
        self._context = context
        self._folder = folder
        self._limit_s = context.settings.timeout_s if context.settings else 0.0
        self._left_s = self._limit_s
        self._replaced: dict[str, str | None] | None = None
        self._url = ""
        self._has_key = False
        self._is_lost = False
        self.redactor = Redactor([self._key()])

    @property
    def is_online(self) -> bool:
        """Return whether the server is used: a key is configured and the server has not failed."""
        self._start()
        return self._has_key and not self._is_lost

    def open_run(
        self, group: str, config: Mapping[str, Any], *, offline: bool = False
    ) -> "wandb.Run":
        """Open an online run, or an offline run if the server is not used or fails."""
        run, limit = None, self._share()
        if not offline:
            run = self.ask(
                "open the run", lambda: self._init(group, config, limit), limit + _MARGIN_S
            )
        return run if run is not None else self._init(group, config)

    def close_run(self, run: "wandb.Run", *, failed: bool) -> bool:
        """Finish a run; return whether an online run was uploaded within its share of the limit."""
        is_sent = False
        if run.offline:
            run.finish(exit_code=int(failed))
        else:
            # Also after a failure of the server: stopped earlier, the client damages the file.
            with suppress(TimeoutError):
                limit = self._limit_s * _SHARE + _MARGIN_S
                self._wait(lambda: run.finish(exit_code=int(failed)), limit)
                is_sent = True
        self._shut_down()
        return is_sent

    def ask(self, action: str, work: Callable[[], T], limit_s: float | None = None) -> T | None:
        """Do work that needs the server; return `None` if it fails or the server is not used.

        After a failure the server is not used any more. `action` is an infinitive for the warning.
        """
        if not self.is_online:
            return None
        try:
            return self._wait(work, self._left_s if limit_s is None else limit_s)
        except TimeoutError:
            self.give_up(f"cannot {action} at {self._url} within the limit wandb.timeout_s")
        except Exception as error:
            self.give_up(f"cannot {action} at {self._url} ({self.reason(error)})")
        return None

    def log(self, run: "wandb.Run", work: Callable[[], None]) -> None:
        """Log artifacts, for which an online run waits for the server."""
        if run.offline:
            work()
        else:
            self.ask("log artifacts", work, min(self._left_s, self._limit_s * _SHARE / 2))

    def give_up(self, reason: str) -> None:
        """Use the server no more in this `kedro run`, and log one warning."""
        if not self._is_lost:
            self._is_lost = True
            logger.warning(
                "W&B: %s; everything is recorded offline and nothing is lost. Upload it later "
                "with: %s",
                self.redactor.text(reason),
                self.redactor.text(self._context.publish_command()),
            )

    def reason(self, error: BaseException) -> str:
        """Return the message of an error without secrets, in one line of limited length."""
        text = " ".join(str(error).split()).partition(" Consider increasing the init_timeout")[0]
        # Redacted first, because a part of a secret is not recognized.
        return self.redactor.text(text)[:_ERROR_LENGTH] or type(error).__name__

    def sync(self, folders: Sequence[Path]) -> list[Path]:
        """Upload closed runs with `wandb sync`; return the folders that it marked as uploaded.

        An upload is stopped if its output shows no progress for half of what is left of the limit.
        """
        if not folders or not self.is_online:
            return []
        logger.info("W&B: uploading %d run(s)", len(folders))
        log = self._folder / "sync.log"
        with log.open("w") as output:
            process = subprocess.Popen(  # noqa: S603
                [*_SYNC, *map(str, folders)],
                # Not the service of this process, which ends with its run.
                env={**os.environ, "WANDB_SILENT": "false", "WANDB_SERVICE": ""},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            if not _ends(process, log, self._left_s / 2):
                self._left_s = 0.0
                self.give_up(f"{self._url} does not accept the upload in time")
        finally:
            process.kill()
            process.wait()
        return [folder for folder in folders if any(folder.glob("*.wandb.synced"))]

    def settle(self, runs: Sequence[RunEntry]) -> None:
        """Note which uploaded runs the server has completely, and add their inputs there.

        Inputs are added here for all runs, because an offline run cannot add any.
        """
        runs = [run for run in runs if not run.is_settled]
        if runs:
            self.ask("confirm the upload", lambda: self._settle(runs))

    def api(self) -> "wandb.Api":
        """Return the client of W&B's public API; call it within `ask`."""
        import wandb

        # The limit of `ask` is reached first.
        return wandb.Api(timeout=int(self._limit_s) + 1)

    def close(self) -> None:
        """Stop the client and restore the environment variables."""
        if self._replaced is not None:
            self._shut_down()
            _set_environment(self._replaced)
            self._replaced = None

    def _start(self) -> None:
        """Set the environment variables of the client and look for a key."""
        if self._replaced is not None:
            return
        variables = dict(_SWITCHES)
        for name, subfolder in _FOLDERS.items():
            path = self._folder.resolve() / subfolder
            path.mkdir(parents=True, exist_ok=True)
            variables[name] = str(path)
        if key := self._key():
            variables["WANDB_API_KEY"] = key
        self._replaced = _set_environment(variables)
        if self._context.mode == "offline":
            return
        import wandb

        try:
            self._has_key = wandb.login(prompt=False, verify=False)
        except wandb.errors.AuthenticationError as error:
            self.give_up(f"the API key is not valid ({self.reason(error)})")
            return
        settings = wandb.setup().settings
        self._url = settings.base_url
        self.redactor = Redactor([self._key(), settings.api_key])
        if not self._has_key and self._context.mode == "online" and not self._is_lost:
            self._is_lost = True
            logger.warning(
                "W&B: wandb.mode is online, but no API key is configured for %s; the run is "
                "recorded offline. Set WANDB_API_KEY, or see docs/wandb.md for other places.",
                self._url,
            )

    def _key(self) -> str:
        """Return the key of the environment or of Kedro; wandb finds a key in netrc itself."""
        configured = str(self._context.credentials.get("api_key") or "").strip()
        return os.environ.get("WANDB_API_KEY", "") or configured

    def _init(
        self, group: str, config: Mapping[str, Any], online_s: float | None = None
    ) -> "wandb.Run":
        """Open an online run within a limit in seconds, or an offline run without one."""
        self._start()
        import wandb

        context, limits = self._context, dict[str, Any]()
        if online_s is not None:
            limits = {"init_timeout": online_s, "finish_timeout": self._limit_s * _SHARE}
        return wandb.init(
            project=context.project,
            entity=context.entity or None,
            group=group,
            job_type=context.job_type,
            name=context.name(group),
            tags=context.tags,
            config=self.redactor.value(config),
            mode="offline" if online_s is None else "online",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                save_code=False,
                finish_timeout_raises=True,
                # Nothing about the machine or its user; versions and commit are in the config.
                disable_git=True,
                disable_job_creation=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                host="",
                # Seconds of rows that a kill may lose; `publish` adds them from the history.
                x_transaction_log_flush_interval=2.0,
                **limits,
            ),
        )

    def _settle(self, runs: Sequence[RunEntry]) -> None:
        api = self.api()
        for entry in runs:
            path = f"{entry.entity or api.default_entity}/{entry.project}"
            try:
                run = api.run(f"{path}/{entry.id}")
                run.wait_until_finished()
                outputs = [f"{path}/{name}" for name in entry.outputs]
                entry.uploaded = all(api.artifact_exists(name) for name in outputs)
                entry.url = run.url if entry.uploaded else None
                for name, is_known in entry.inputs.items():
                    if not is_known and api.artifact_exists(f"{path}/{name}"):
                        run.use_artifact(api.artifact(f"{path}/{name}"))
                        entry.inputs[name] = True
            except Exception as error:
                if not self._is_lost:
                    reason = self.reason(error)
                    logger.warning("W&B: run %s is not uploaded completely (%s)", entry.id, reason)

    def _share(self) -> float:
        return min(self._left_s, self._limit_s * _SHARE)

    def _wait(self, work: Callable[[], T], limit_s: float) -> T:
        """Do work in a thread and count its time.

        Raises:
            TimeoutError: The work takes longer than the limit; its thread is abandoned.
        """
        outcome: Future[T] = Future()

        def do() -> None:
            try:
                outcome.set_result(work())
            except Exception as error:
                outcome.set_exception(error)
            except SystemExit as error:  # of `wandb.teardown`
                outcome.set_exception(RuntimeError(f"exit code {error.code}"))

        started = time.monotonic()
        try:
            threading.Thread(target=do, daemon=True).start()
        except RuntimeError:
            do()  # since Python 3.12, an exiting interpreter starts no threads
        try:
            return outcome.result(limit_s)
        finally:
            self._left_s = max(0.0, self._left_s - (time.monotonic() - started))

    def _shut_down(self) -> None:
        """Stop the service of the client, which completes the files of closed runs."""
        import wandb

        if not self._has_key:
            wandb.teardown()
            return
        try:
            self._wait(wandb.teardown, _SHUTDOWN_S)
        except TimeoutError:
            _stop_services()


def _stop_services() -> None:
    """Stop the service processes of the client.

    A service that waits for the server may outlive this process and keep its output open.
    """
    services = [it for it in psutil.Process().children() if "wandb-core" in it.name()]
    for service in services:
        with suppress(psutil.NoSuchProcess):
            service.terminate()
    for service in psutil.wait_procs(services, _SHUTDOWN_S)[1]:
        with suppress(psutil.NoSuchProcess):
            service.kill()


def _ends(process: subprocess.Popen[bytes], log: Path, window_s: float) -> bool:
    """Wait for the end of `wandb sync` while each window shows progress in its log.

    Progress is a new line that does not report a problem.
    """
    progress = 0
    for _ in range(2 * _PATIENCE):
        with suppress(subprocess.TimeoutExpired):
            process.wait(window_s)
            return True
        lines = log.read_text("utf-8", errors="replace").splitlines()
        before, progress = progress, len({it for it in lines if not it.startswith(_TROUBLE)})
        if progress == before:
            return False
    return False


def _set_environment(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Set environment variables, or remove them if `None`; return the values before."""
    before = {name: os.environ.get(name) for name in values}
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return before
