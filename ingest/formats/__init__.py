"""What devices speak: one file per format, from bytes to instants and named refusals."""
