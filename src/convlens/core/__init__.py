"""What every floor of the house may use.

The files here are the public names: import from ``convlens.core.errors``, ``convlens.core.batch``
and so on. Nothing is re-exported, so that a caller who needs an error does not load torch.
"""
