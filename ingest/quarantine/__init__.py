"""The quarantine: what was refused, why, and how it comes in after all once the cause is mended."""
