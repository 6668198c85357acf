"""Readers of published recordings, one file per format; nothing of the data is shipped here."""
