"""Training of a network: repeatable, resumable, and judged on the validation split."""
