"""A reading, and how it gets into the log: identify, decode, publish, and only then acknowledge."""
