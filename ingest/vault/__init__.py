"""Who patients are, kept apart from everything else and sealed."""
