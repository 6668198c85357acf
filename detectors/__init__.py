"""Is this reading unusual, for this patient? Scores and models; no clock, no I/O."""
