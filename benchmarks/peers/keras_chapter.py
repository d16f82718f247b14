"""The chapter's CIFAR-10 script in Keras 3 on TensorFlow, as it stands, with a clock.

Network, batches of 64, Adam, both callbacks, ``validation_split=0.1``, 100 epochs at most; only
that the pixels come from a file, that the random numbers have a seed, and that after each epoch the
clock is stopped and the test images are measured. The training images lie in random order, as in
Keras's own copy of CIFAR-10: ``validation_split`` takes the last ones. SIGTERM ends it early, with
the epochs that are whole.
"""

import signal
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.keras_backend import started
from benchmarks.peers.keras_standard import network
from benchmarks.peers.peer import Config, answer


def measure(config: Config) -> dict[str, Any]:
    """Seconds from the call of ``fit``, and test accuracy, at each epoch's end and at the end."""
    keras = started(config)
    import tensorflow as tf  # noqa: PLC0415

    arrays = np.load(config["arrays"])
    x, x_test = (arrays[name].astype("float32") / 255.0 for name in ("X_train", "X_test"))
    y, y_test = arrays["y_train"], arrays["y_test"]
    model = network(x.shape[1:], config["classes"])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    # Not model.evaluate: within fit it would share the metrics of the epoch that is on.
    forward = tf.function(lambda images: model(images, training=False))

    def test_accuracy() -> float:
        probabilities = [
            forward(x_test[start : start + 500]).numpy() for start in range(0, len(x_test), 500)
        ]
        return float((np.concatenate(probabilities).argmax(1) == y_test).mean())

    epochs: list[dict[str, Any]] = []

    class Clock(keras.callbacks.Callback):
        """The time that is Keras's own, and what each epoch had reached."""

        def __init__(self) -> None:
            super().__init__()
            self.stood = 0.0
            self.told_to_end = False
            signal.signal(signal.SIGTERM, lambda *_: setattr(self, "told_to_end", True))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.told_to_end:
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if self.told_to_end:
                return
            seconds = perf_counter() - start - self.stood
            own = {name: round(float(value), 6) for name, value in (logs or {}).items()}
            epochs.append({"seconds": round(seconds, 3), "test_accuracy": test_accuracy(), **own})
            self.stood = perf_counter() - start - seconds

    start = perf_counter()
    clock = Clock()
    model.fit(
        x,
        y,
        epochs=config["epochs"],
        batch_size=64,
        validation_split=0.1,
        callbacks=[
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=10, restore_best_weights=True
            ),
            keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss", factor=0.5, patience=5, min_lr=1e-6
            ),
            clock,
        ],
    )
    seconds = perf_counter() - start - clock.stood
    return {
        "epochs": epochs,
        "seconds": round(seconds, 3),
        "test_accuracy": test_accuracy(),
        "ended_early": clock.told_to_end,
        "images": {"train": len(x), "test": len(x_test)},
    }


if __name__ == "__main__":
    answer(measure)
