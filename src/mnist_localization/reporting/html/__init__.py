"""The report as one HTML page: no network, no framework, nothing beside the file."""

from mnist_localization.reporting.html.report import render_page

__all__ = ["render_page"]
