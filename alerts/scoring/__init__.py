"""A table of readings through the code that the worker runs: what Vigie would have said."""
