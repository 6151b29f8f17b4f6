"""Copy of the project in a temporary folder, run through the command line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[2]
KEDRO = Path(sys.executable).with_name("kedro")


@dataclass(frozen=True)
class Project:
    """Copy of the configuration with a link to the source code and no data."""

    path: Path
    env: str = "test"

    @classmethod
    def make(cls, path: Path, env: str = "test") -> "Project":
        path.mkdir(parents=True)
        (path / "src").mkdir()
        (path / "src" / "mnist_localization").symlink_to(ROOT / "src" / "mnist_localization")
        shutil.copytree(ROOT / "conf", path / "conf")
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copyfile(ROOT / name, path / name)
        return cls(path, env)

    @property
    def data(self) -> Path:
        return self.path / "data" / ("" if self.env == "base" else self.env)

    def command(self, *arguments: str) -> list[str]:
        return [str(KEDRO), "run", f"--env={self.env}", *arguments]

    def run(self, *arguments: str, fails: bool = False, timeout_s: float = 280) -> str:
        """Run `kedro run` and return its output."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=clean_environment(self.path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def kill_at(self, text: str, *arguments: str, within_s: float = 120) -> None:
        """Start `kedro run` and kill it as soon as its log contains a text."""
        self.kill_when(lambda log: text in log, *arguments, within_s=within_s)

    def kill_when(
        self, reached: Callable[[str], bool], *arguments: str, within_s: float = 120
    ) -> None:
        """Start `kedro run` and kill it as soon as a condition on its log or the disk is met."""
        log = self.path / "killed.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=self.path,
                env=clean_environment(self.path),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            end = time.monotonic() + within_s
            while not reached(log.read_text()):
                assert process.poll() is None, f"ended before it was killed:\n{log.read_text()}"
                assert time.monotonic() < end, f"not reached in time:\n{log.read_text()}"
                time.sleep(0.005)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def json(self, name: str) -> Any:
        return json.loads((self.data / name).read_text("utf-8"))

    def history(self) -> pd.DataFrame:
        path = self.data / "08_reporting" / "training_history.parquet"
        return pd.read_parquet(path).drop(columns="seconds")

    def metrics(self) -> Any:
        return self.json("08_reporting/metrics.json")


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment without keys, proxies and settings of the current user."""
    dropped = ("WANDB", "KEDRO", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"NETRC": os.devnull, "HOME": str(home)}
