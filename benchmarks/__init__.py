"""`make bench`: what the project claims about speed, measured where it stands."""
