"""The picture of one patient: what was measured, what is usual, the scores, and the alerts."""
