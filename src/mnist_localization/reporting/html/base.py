"""Templates, assets and the Content-Security-Policy that all pages share."""

import base64
import hashlib
from importlib.resources import files

import jinja2
from markupsafe import Markup

from mnist_localization.reporting.html.formatting import (
    coordinate,
    count,
    number,
    percent,
    plain,
    ratio,
    words,
)

_PACKAGE = "mnist_localization.reporting.html"


def render(name: str, *, style: str, script: str = "", **values: object) -> str:
    """Return a page made from one of the templates, which escape all values.

    Args:
        name: File name of the template.
        style: Stylesheet of the page.
        script: Script of the page.
        **values: Variables of the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (coordinate, count, number, percent, plain, ratio, words)
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template(name).render(
        policy=_content_policy(style, script),
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        **values,
    )


def asset(name: str) -> str:
    """Return the text of a file of this package."""
    return files(_PACKAGE).joinpath(name).read_text("utf-8")


def _content_policy(style: str, script: str) -> str:
    """Return a policy that allows only what is in the page itself."""
    return (
        "default-src 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
