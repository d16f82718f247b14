"""A mirror of published weights on loopback: the files that a test puts into a folder."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import torch

from convlens.core import downloads
from convlens.core.classifier import Classifier
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build_architecture
from convlens.models import published as published_module
from convlens.models.family import family_named
from convlens.models.published import PUBLISHED_WEIGHTS, PublishedWeights


class Mirror:
    """A folder served on loopback, with one network's weights published in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests.append(self.path)
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def published_form_of(net: Classifier, name: str) -> dict[str, torch.Tensor]:
    """A network's tensors under torchvision's names; those it has."""
    translate = family_named(name).from_torchvision
    assert translate is not None
    state = net.state_dict()
    theirs = {key: translate(key) for key in torchvision_keys(name)}
    return {key: state[ours].clone() for key, ours in theirs.items() if ours in state}


def torchvision_keys(name: str) -> list[str]:
    lines = (Path(__file__).parent / "torchvision.txt").read_text("utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"[{name}]"))
    parts = {
        "conv": ["weight"],
        "biased": ["weight", "bias"],
        "norm": ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
    }
    keys = []
    for line in lines[start + 1 :]:
        if line.startswith("["):
            break
        kind, module, *_ = line.split()
        keys += [f"{module}.{part}" for part in parts[kind]]
    return keys


def publish(tensors: dict[str, torch.Tensor], name: str, folder: Path) -> PublishedWeights:
    """Write a file as torchvision publishes it, its hash in its name."""
    path = folder / f"{name}.pth"
    torch.save(tensors, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    weights = PublishedWeights(f"{name}-{digest[:8]}.pth", PUBLISHED_WEIGHTS[name].top1)
    path.rename(folder / weights.file_name)
    return weights


@contextlib.contextmanager
def made_up_weights(names: Sequence[str], folder: Path) -> Iterator[Mirror]:
    """These networks' weights, drawn at random, are what the mirror publishes; heads left out."""
    published = {}
    for name in names:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            spec = ModelSpec(name=name, head="none", small_stem=None)
            net = build_architecture(spec, InputSpec(height=224, width=224), classes=1000)
        published[name] = publish(published_form_of(net, name), name, folder)
    running = Mirror(folder)
    try:
        with (
            patch.dict("os.environ", {"CONVLENS_WEIGHTS_URL": running.url}),
            patch.object(downloads, "PAUSES_SECONDS", (0.0,)),
            patch.object(published_module, "PUBLISHED_WEIGHTS", PUBLISHED_WEIGHTS | published),
        ):
            yield running
    finally:
        running.close()
