"""convlens: from a folder of images to an image classifier you understand and can trust.

Every verb of the command line is a function here, with the same name and words. They are imported
on first use, so that ``import convlens`` costs next to nothing and does not load torch.
"""

__version__ = "0.1.0"
