"""Charts of the evaluation: one module per chart."""
