"""Settings of the Kedro project."""

from mnist_localization.hooks import HOOKS as PROJECT_HOOKS

HOOKS = PROJECT_HOOKS

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment contains only the keys that differ from the base.
    "merge_strategy": {"parameters": "soft", "catalog": "soft", "globals": "soft"},
}
