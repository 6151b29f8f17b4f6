"""Tests of the documentation site, README and CONTRIBUTING."""

import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from mnist_localization.registry import module_names
from support.browser import open_browser
from support.project import ROOT

REGISTRIES = (
    "models/architectures",
    "models/losses",
    "data/annotations/formats",
    "reporting/charts",
    "export/formats",
)
# Mappings whose keys are names of files, not parameters.
FREE_MAPPINGS = {"fetch.sha256", "fetch.upstream.blob_ids"}
TEXTS = ("README.md", "CONTRIBUTING.md", "conf/README.md", *sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")
))  # fmt: skip


class Page(HTMLParser):
    """Texts of the table rows of a page, and the addresses of what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loaded: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag in ("script", "img", "iframe", "source"):
            self.loaded.append(values.get("src") or "")
        if tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(values.get("href") or "")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the documentation as `make docs` does."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def configuration(site):
    """Rows of the generated tables, by the text of their first cell."""
    rows = ([cell.strip() for cell in row] for row in Page(site / "configuration.html").rows)
    return {row[0]: row for row in rows if row}


def keys_of_base():
    """Yield the dotted path of each key with a value in conf/base/parameters*.yml."""
    pending = [
        ("", yaml.safe_load(path.read_text("utf-8")))
        for path in (ROOT / "conf" / "base").glob("parameters*.yml")
    ]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict) and value and path not in FREE_MAPPINGS:
            pending += [(f"{path}.{key}".lstrip("."), each) for key, each in value.items()]
        else:
            yield path


def test_every_parameter_is_listed_with_type_default_and_meaning(configuration):
    incomplete = {
        key: configuration.get(key)
        for key in keys_of_base()
        if key not in configuration or not all(configuration[key])
    }
    assert not incomplete


def test_defaults_and_limits_are_those_of_base_and_of_the_models(configuration):
    assert configuration["split.max_image_mb"][1:3] == ["number, > 0", "256.0"]
    assert configuration["annotate.on_bad_rows"][1:3] == ["error or drop", "error"]
    assert configuration["evaluate.contact_sheet"][1] == "integer, > 0, <= 120"


@pytest.mark.parametrize("folder", REGISTRIES)
def test_every_registered_name_is_listed(configuration, folder):
    missing = [name for name in module_names(folder) if name not in configuration]
    assert not missing


def test_every_metric_of_an_evaluation_is_listed(configuration):
    from mnist_localization.evaluation.metrics import all_metrics

    for metric in all_metrics():
        assert metric.title in configuration[metric.key]


def test_the_public_interface_is_documented(site):
    page = (site / "api.html").read_text("utf-8")
    for name in ("Localizer.load", "Localizer.predict", "Detection", "Box"):
        assert f'id="mnist_localization.{name}"' in page


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for path in pages:
        for address in Page(path).loaded:
            assert not re.match(r"(https?:)?//", address), f"{path.name}: {address}"
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", path.read_text("utf-8")), path.name


def test_a_browser_requests_only_files_of_the_site(site, tmp_path):
    with open_browser(tmp_path / "profile") as browser:
        browser.get((site / "configuration.html").as_uri())
        messages = [
            json.loads(each["message"])["message"] for each in browser.get_log("performance")
        ]
    addresses = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert any(address.endswith("configuration.html") for address in addresses)
    assert not {address for address in addresses if address.startswith(("http:", "https:"))}


def commands(text):
    """Yield the words of each command in the code blocks of a text, without its comment."""
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


@pytest.mark.parametrize("name", TEXTS)
def test_commands_name_stages_environments_targets_and_parameters_that_exist(name):
    stages = {path.name for path in (ROOT / "src/mnist_localization/pipelines").iterdir()}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    keys = {key for path in keys_of_base() for key in prefixes(path)}
    for words in commands((ROOT / name).read_text("utf-8")):
        if words[0] == "make":
            assert words[1] in targets, words
        if words[:2] != ["kedro", "run"]:
            continue
        options = dict(
            word.split("=", 1) for word in words[2:] if word.startswith("--") and "=" in word
        )
        assert set(options.get("--pipelines", "fetch").split(",")) <= stages, words
        environment = options.get("--env", "base")
        assert (ROOT / "conf" / environment).is_dir() or environment in NEW_ENVIRONMENTS, words
        if "--params" in words:
            for parameter in words[words.index("--params") + 1].split(","):
                assert parameter.split("=")[0] in keys, words


def prefixes(path):
    """Return a dotted path and the paths above it."""
    parts = path.split(".")
    return {".".join(parts[: end + 1]) for end in range(len(parts))}


# Environments that the reader of a page makes.
NEW_ENVIRONMENTS = ("shapes", "<name>", "<env>")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_of_the_repository_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / name).read_text("utf-8")):
        assert target.startswith("https://") or (ROOT / target).is_file(), target


def test_contributing_lists_every_folder_of_the_package():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    package = ROOT / "src" / "mnist_localization"
    folders = {path.parent.relative_to(package) for path in package.rglob("*.py")}
    listed = {match.strip("/ ") for match in re.findall(r"^ {4,}([a-z_/]+/) ", text, re.MULTILINE)}
    for folder in folders:
        single = folder.parts[:1] == ("pipelines",) or folder.parent.name == "architectures"
        assert single or not folder.parts or folder.name in listed, folder
    modules = {path.name for path in package.glob("[a-z]*.py")}
    assert not {module for module in modules if f"  {module}" not in text}
