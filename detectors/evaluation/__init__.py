"""How good is a score? Its figures against labels, with intervals over patients. No clinical I/O.

Files in, figures out: nothing here runs while patients are watched.
"""
