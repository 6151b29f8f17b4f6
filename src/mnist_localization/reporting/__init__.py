"""Charts, figures and HTML pages."""
