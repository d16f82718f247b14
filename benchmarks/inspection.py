"""How long until one sees a network's layers, or several networks side by side?

    python -m benchmarks.inspection [--rounds 5] [--threads 2]

VGG16 row by row with shapes and parameters, and the chapter's three backbones compared: convlens's
``inspect`` and ``compare``, and Keras 3 on TensorFlow as the chapter writes it, with random weights
in place of a download. Each is some lines of Python in a process of its own, in turns, imports
included. Both count the same parameters, which is checked, but for the biases that Keras's ResNet50
has before its normalizations, and the published network has not.

Besides, convlens's comparison measures speed on this machine and Keras's does not: its seconds are
given with and without that. The table and ``results/inspection.json`` give the medians of the
rounds, and the most memory that each took.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarks.harness import RESULTS, apart, in_turns, medians, rounded, run_peer, write_result

PEERS = ("Keras on TensorFlow",)
MINUTES = 4
QUICK = ("--rounds", "1")
TARGET = "sooner than Keras, in less memory"

OURS, TIMED, KERAS = "convlens", "convlens, speed measured as well", "keras on tensorflow"
KERAS_BIASES = 26_560
BACKBONES = {"vgg16": "VGG16", "resnet50": "ResNet50", "mobilenet_v2": "MobileNetV2"}
_KERAS = "from keras import applications\n"
_NO_TOP = "weights=None, include_top=False, input_shape=(224, 224, 3)"
LINES = {
    "VGG16, layer by layer": {
        OURS: "import convlens\nanswer = [convlens.inspect('vgg16').parameters]",
        KERAS: _KERAS + "model = applications.VGG16(weights=None)\nmodel.summary()\n"
        "answer = [model.count_params()]",
    },
    "three backbones": {
        OURS: "import convlens\nanswer = [convlens.inspect(name, head='none').parameters "
        f"for name in {list(BACKBONES)}]",
        TIMED: "import convlens\nanswer = [own.parameters for own in "
        f"convlens.compare({list(BACKBONES)}, head='none', quiet=True).networks]",
        KERAS: _KERAS + "answer = []\n"
        f"for name in {list(BACKBONES.values())}:\n"
        f"    model = getattr(applications, name)({_NO_TOP})\n"
        "    print(name, len(model.layers), model.count_params(), model.output_shape)\n"
        "    answer.append(sum(w.shape.num_elements() for w in model.trainable_weights))",
    },
}


def measure(lines: Mapping[str, str], rounds: int, threads: int) -> dict[str, Any]:
    """One sight, everybody's way."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in lines}

    def run(name: str) -> float:
        answers[name].append(run_peer("snippet", {"lines": lines[name], "threads": threads}))
        return float(answers[name][-1]["seconds"])

    seconds = in_turns(
        {name: lambda _, n=name: run(n) for name in lines}, rounds, warm_up=rounds > 1
    )
    pluralize = {name: own[0]["answer"] for name, own in answers.items()}
    more = [theirs - ours for theirs, ours in zip(pluralize[KERAS], pluralize[OURS], strict=True)]
    assert set(more) <= {0, KERAS_BIASES}, pluralize
    assert pluralize.get(TIMED, pluralize[OURS]) == pluralize[OURS]
    return {
        "parameters": answers[OURS][0]["answer"],
        "seconds": {name: round(value, 2) for name, value in medians(seconds).items()},
        "peak_memory_mb": {
            name: statistics.median(each["peak_memory_mb"] for each in own)
            for name, own in answers.items()
        },
        "every_round": rounded(seconds, 2),
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    told = []
    for sight, own in found["sights"].items():
        seconds, memory = own["seconds"], own["peak_memory_mb"]
        told.append(
            f"{sight}: {seconds[OURS]:.1f} s and {memory[OURS]:,.0f} MB "
            f"(Keras {seconds[KERAS]:.1f} s and {memory[KERAS]:,.0f} MB)"
        )
    return "; ".join(told)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "inspection.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)  # what is written down of this machine
    sights = {}
    for sight, lines in LINES.items():
        sights[sight] = measure(lines, given.rounds, given.threads)
        print(f"{sight:36}{'seconds':>9}{'':13}{'MB':>8}")
        for name, seconds in sights[sight]["seconds"].items():
            memory, rounds = (sights[sight][key][name] for key in ("peak_memory_mb", "every_round"))
            print(f"  {name:34}{seconds:9.2f}{apart(rounds)}{memory:8,.0f}")
    write_result(
        given.out,
        __file__,
        arguments,
        "seconds and peak memory of a process that shows networks, imports included",
        {"rounds": given.rounds, "threads": given.threads, "sights": sights},
        packages=("torch", "keras", "tensorflow_cpu"),
    )


if __name__ == "__main__":
    main()
