import pytest
import torch
from torch import nn

from convlens.inspection import build_named, describe, trace
from convlens.inspection.training_memory import TrainingMemory


def really_saved(module, shape, batch):
    """Bytes that torch keeps for the backward pass of a real run on the CPU, for one image."""
    kept, weights = {}, {p.data_ptr() for p in module.parameters()}
    weights |= {b.data_ptr() for b in module.buffers()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = module.train()(torch.rand(batch, *shape))
    found = sum(s.nbytes() for pointer, s in kept.items() if pointer not in weights)
    assert out.requires_grad
    return found / batch


@pytest.mark.parametrize(("name", "shape"), [("simple", (1, 28, 28)), ("resnet18", (3, 32, 32))])
def test_what_is_kept_is_what_a_real_run_keeps(name, shape):
    network = build_named(describe(name), input_shape=shape, numbers=True).network
    expected = really_saved(network, shape, batch=4)
    assert trace(network, shape).saved_bytes == pytest.approx(expected, rel=0.01)


def test_by_hand():
    """A convolution keeps its input, ReLU its output, a pool its input and the maxima's places."""
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    image, activated, pooled, positions = 36 * 4, 2 * 16 * 4, 8 * 4, 8 * 8
    assert trace(net, (1, 6, 6)).saved_bytes == image + activated + pooled + positions


def test_below_the_first_trainable_layer_nothing_is_kept():
    network = build_named(describe("vgg16"), input_shape=(3, 64, 64)).network
    whole = trace(network, (3, 64, 64)).saved_bytes
    network.stages.requires_grad_(False)
    frozen = trace(network, (3, 64, 64))
    # Of the head: the input of each dense layer, and masks and outputs of its activations.
    assert frozen.saved_bytes < whole / 20
    network.head.requires_grad_(False)
    assert trace(network, (3, 64, 64)).saved_bytes == 0


def test_the_parts_add_up():
    network = build_named(describe("standard")).network
    network.stages.requires_grad_(False)
    found = trace(network, (3, 32, 32))
    memory = found.training_memory(64, averages=1)
    trainable = 4 * found.trainable_parameters
    assert memory == TrainingMemory(
        batch_size=64,
        weights=found.weight_bytes,
        gradients=trainable,
        optimizer=trainable,
        activations=64 * found.saved_bytes,
    )
    assert memory.total == found.weight_bytes + 2 * trainable + 64 * found.saved_bytes
    assert memory.as_json()["total"] == memory.total


def test_a_network_that_does_not_run_in_training_mode():
    class EvalOnly(nn.Conv2d):
        def forward(self, x):
            if self.training:
                raise ValueError("for inference only")
            return super().forward(x)

    found = trace(EvalOnly(1, 1, 3), (1, 8, 8))
    assert found.saved_bytes is None
    assert found.training_memory(8) is None


def test_the_generator_is_left_alone():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout())
    before = torch.get_rng_state()
    trace(network, (1, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)
