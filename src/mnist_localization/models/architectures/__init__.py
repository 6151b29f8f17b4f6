"""One file an architecture; each registers its builder."""
