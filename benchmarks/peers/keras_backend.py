"""How every peer in Keras begins."""

import os
from typing import Any

from benchmarks.peers.peer import Config


def started(config: Config) -> Any:
    """Keras 3 on TensorFlow, on as many threads as are asked for, seeded where a seed is given."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    tf.config.threading.set_intra_op_parallelism_threads(config["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(config["threads"])
    if "seed" in config:
        keras.utils.set_random_seed(config["seed"])
    return keras
