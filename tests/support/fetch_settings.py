"""Settings of `fetch` for tests: small, with short waits."""

from typing import Any

import yaml

from mnist_localization.config.data import FetchSettings
from support.project import ROOT

SHORT_WAITS = {"reach_s": 1.2, "connect_s": 0.4, "read_s": 0.4, "retries": 2, "backoff_s": 0.01}


def make_settings(**changes: Any) -> FetchSettings:
    """Return the section `fetch` of conf/base with changes; a dict changes only its keys."""
    base = yaml.safe_load((ROOT / "conf/base/parameters_fetch.yml").read_text("utf-8"))["fetch"]
    base["synthetic"] |= {"train_images": 20, "test_images": 10}
    base["network"] |= SHORT_WAITS
    for name, value in changes.items():
        base[name] = base[name] | value if isinstance(value, dict) else value
    return FetchSettings(**base)
