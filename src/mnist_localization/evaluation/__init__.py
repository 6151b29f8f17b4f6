"""Predictions of a split, their scores, breakdowns and baselines, and records of runs."""
