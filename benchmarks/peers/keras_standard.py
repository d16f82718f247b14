"""The chapter's listing: the standard network in Keras 3 on TensorFlow, arrays in memory."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.keras_backend import started
from benchmarks.peers.peer import Config, answer


def network(shape: Sequence[int], classes: int) -> Any:
    """The chapter's stack: two convolutions, normalized, and a pool, three times over."""
    import keras  # noqa: PLC0415
    from keras import layers  # noqa: PLC0415

    def convolution(filters: int) -> list[Any]:
        conv = layers.Conv2D(filters, (3, 3), activation="relu", padding="same")
        return [conv, layers.BatchNormalization()]

    def block(filters: int) -> list[Any]:
        twice = convolution(filters) + convolution(filters)
        return [*twice, layers.MaxPooling2D((2, 2)), layers.Dropout(0.25)]

    return keras.Sequential(
        [
            layers.Input(shape),
            *block(32),
            *block(64),
            *block(128),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the epochs after the first, which compiles."""
    keras = started(config)
    arrays = np.load(config["arrays"])
    x, x_val = (arrays[name].astype("float32") / 255.0 for name in ("X_train", "X_val"))
    y, y_val = arrays["y_train"], arrays["y_val"]

    model = network(x.shape[1:], config["classes"])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    class Clock(keras.callbacks.Callback):
        """When each epoch began, began to validate, and ended."""

        def __init__(self) -> None:
            super().__init__()
            self.began: list[float] = []
            self.validated: list[float] = []
            self.ended: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began.append(perf_counter())

        def on_test_begin(self, logs: Any = None) -> None:
            self.validated.append(perf_counter())

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.ended.append(perf_counter())

    clock = Clock()
    history = model.fit(
        x,
        y,
        epochs=1 + config["epochs"],
        batch_size=config["batch"],
        validation_data=(x_val, y_val),
        callbacks=[
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=1000, restore_best_weights=True
            ),
            keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss", factor=0.5, patience=1000, min_lr=1e-6
            ),
            clock,
        ],
    )
    training = [end - begin for begin, end in zip(clock.began, clock.validated, strict=True)]
    return {
        "images": len(x) * config["epochs"],
        "training_seconds": sum(training[1:]),
        "whole_seconds": clock.ended[-1] - clock.ended[0],
        "losses": history.history["loss"],
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
    }


if __name__ == "__main__":
    answer(measure)
