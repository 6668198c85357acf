"""A ward that never was, recordings of people who were, and the outside world."""
