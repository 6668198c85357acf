"""The ways out: one file per channel."""
