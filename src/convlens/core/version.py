"""Which convlens this is: here, so that nothing below the API imports the whole package."""

__version__ = "0.1.0"
