"""Tensors on their way to a file."""

from collections.abc import Mapping

from torch import Tensor


def savable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors takes them: on the CPU, contiguous, no two in one memory.

    What is so already is not copied: it must not change before it is written.

    Args:
        tensors: by name; weights that are tied have two names and one memory.

    Example:
        >>> import torch
        >>> tied = torch.ones(3)
        >>> found = savable({"a": tied, "b": tied})
        >>> found["a"].data_ptr() == tied.data_ptr(), found["b"].data_ptr() == tied.data_ptr()
        (True, False)
    """
    found, memories = {}, set[int]()
    for name, tensor in tensors.items():
        own = tensor.detach().to("cpu").contiguous()
        if own.untyped_storage().data_ptr() in memories:
            own = own.clone()
        memories.add(own.untyped_storage().data_ptr())
        found[name] = own
    return found
