"""Annotations: untrusted files are read into validated tables, and tables are written as files."""
