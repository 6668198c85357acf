"""A finding in plain words, for whoever reads the alert: French and English. Pure.

What is unusual, against what, since when, and what is missing: made of the finding alone, so that a
letter, a console and a table of scores say the same. One module of words per language; the
sentences are built in `sentences`.
"""

from detectors.explain.sentences import explain
from detectors.explain.words import Language

__all__ = ["Language", "explain"]
