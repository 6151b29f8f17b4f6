"""Kedro's project settings."""

from mnist_localization.hooks import HOOKS as PROJECT_HOOKS

HOOKS = PROJECT_HOOKS

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment states only what differs: sibling keys of the base stay.
    "merge_strategy": {"parameters": "soft", "catalog": "soft", "globals": "soft"},
}
