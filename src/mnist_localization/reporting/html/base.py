"""What every page has: templates that escape, the stylesheet, and a policy that locks it down."""

import base64
import hashlib
from importlib.resources import files

import jinja2

from mnist_localization.reporting.html import charts, formatting

_PACKAGE = "mnist_localization.reporting.html"


def template(name: str) -> jinja2.Template:
    """One of our templates; it escapes whatever is put in."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": formatting.count,
        "percent": formatting.percent,
        "pixels": formatting.pixels,
        "ratio": formatting.ratio,
        "share_bar": charts.share_bar,
        "words": formatting.words,
    }
    environment.globals |= {
        "position_chart": charts.position_chart,
        "reliability_chart": charts.reliability_chart,
    }
    return environment.get_template(name)


def content_policy(style: str, script: str) -> str:
    """A Content-Security-Policy that lets nothing run or load but what is in the page."""
    return (
        "default-src 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return files(_PACKAGE).joinpath(name).read_text("utf-8")
