"""Atomic writes and free disk space."""
