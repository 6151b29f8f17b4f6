"""Typed configuration: one frozen model per section of the parameters.

Kedro validates the node input `params:<section>` against the model that annotates it before any
node runs, so a misspelled key or an invalid value fails at once.
"""
