import numpy as np
import PIL
import pytest
import sklearn
import torch

from convlens.core.cores import usable_cores
from convlens.core.device import choose_device, describe_machine, library_versions, peak_memory
from convlens.core.errors import ConvlensError


def test_auto_is_a_device_this_machine_has() -> None:
    torch.zeros(1, device=choose_device("auto"))


@pytest.mark.parametrize("name", ["gpu", "tpu", ""])
def test_an_unknown_device_lists_those_there_are(name: str) -> None:
    with pytest.raises(ConvlensError, match="this machine has: .*cpu"):
        choose_device(name)


def test_a_machine_is_described_by_what_a_figure_depends_on() -> None:
    facts = describe_machine(torch.device("cpu"))
    assert facts["cores"] == usable_cores() >= 1
    assert facts["torch"] == torch.__version__
    assert facts["device"] == "cpu"


def test_the_versions_are_those_that_are_imported() -> None:
    found = library_versions()
    assert found["numpy"] == np.__version__
    assert found["pillow"] == PIL.__version__
    assert found["scikit-learn"] == sklearn.__version__
    assert found["simplejpeg"]
    assert found["opencv-python-headless"]


def test_the_peak_of_memory_grows_with_what_is_held_and_stays() -> None:
    before = peak_memory(torch.device("cpu"))
    held = torch.ones(before + 1_000_000, dtype=torch.uint8)
    after = peak_memory(torch.device("cpu"))
    assert after >= held.nbytes > before
    del held
    # Linux counts pages in batches, thread by thread: its own peak may fall by a few hundred kB.
    assert peak_memory(torch.device("cpu")) >= after - 2**21
