"""Descriptors 0, 1 and 2 belong to the standard streams, and nothing else may get them.

Where a program is started with one of them closed (``2>&-``), the next file that is opened gets its
number, and what a C library writes to "the terminal" goes into that file.
"""

import logging
import os
import warnings


def reserve_descriptors() -> None:
    """Lead those of 0, 1 and 2 that are closed to the null device."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            if os.name != "nt":
                os.set_inheritable(number, True)  # as standard streams are


def quiet_decoders() -> None:
    """Keep what Pillow warns and logs off the terminal: files that cannot be read are named."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logger = logging.getLogger("PIL")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
