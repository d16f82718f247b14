import subprocess
import sys

import pytest

from convlens.core.errors import ConvlensError
from convlens.models.names import check_name, is_own, known_models


def test_the_names_are_listed_in_order_without_loading_torch() -> None:
    script = (
        "import sys; from convlens.models import known_models; names = known_models();"
        "assert 'torch' not in sys.modules and 'pydantic' not in sys.modules; print(*names)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    names = out.stdout.split()
    assert tuple(names) == known_models()
    assert {"lenet5", "alexnet", "vgg16", "resnet50", "mobilenet_v2", "simple", "standard"} <= {
        *names
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", r"unknown model 'resnet19'; did you mean 'resnet1\d'\? Known: alexnet"),
        ("VGG16", "did you mean 'vgg16'"),
        ("ResNet-50", "did you mean 'resnet50'"),
        ("mobilenetv2", "did you mean 'mobilenet_v2'"),
        ("something", "Known: alexnet, lenet5"),
        ("cat.jpg", "is an image, not a network; pass it as an image"),
        ("photos/Öl.PNG", "is an image, not a network"),
        ("resnet18-f37072fd.pth", "is a file of weights, not a network; .* --weights"),
        ("model.safetensors", "is a file of weights"),
        ("nets/mine.py", r"named with the function that returns it: nets/mine\.py:build"),
        ("nets/mine.py:", "named with the function"),
        ("nets/mine.py:not a name", "named with the function"),
        ("", "Known: alexnet"),
    ],
)
def test_a_wrong_name_is_told_what_it_seems_to_be(name: str, message: str) -> None:
    with pytest.raises(ConvlensError, match=message) as caught:
        check_name(name)
    assert caught.value.code == "unknown-model"


def test_a_file_of_ones_own_is_recognized() -> None:
    assert is_own("nets/mine.py:build")
    assert is_own(r"C:\nets\mine.py:build")
    assert not is_own("mine:build")
    check_name("nets/mine.py:build")
