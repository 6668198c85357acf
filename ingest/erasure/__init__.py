"""Erasing a patient, and the proof of what is left."""
