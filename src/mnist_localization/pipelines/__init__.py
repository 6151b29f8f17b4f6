"""The stages: one folder each, with thin nodes and their wiring."""
