"""The Python API: one function a verb, with the command line's names and words.

Example:
    >>> import convlens
    >>> run = convlens.train("digits", epochs=1, quiet=True)     # doctest: +SKIP
    >>> run.metrics["test"]["accuracy"]                           # doctest: +SKIP
    0.91
"""
