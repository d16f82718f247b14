"""The chapter's second listing, VGG16 in two phases, in Keras 3 on TensorFlow.

As it stands there, but that the weights are random, for nothing is downloaded, that the pixels come
from a file, and that early stopping is off, so that every epoch is run.
"""

from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.keras_backend import started
from benchmarks.peers.peer import Config, answer


def measure(config: Config) -> dict[str, Any]:
    """Seconds of each ``fit``, from its call to its return, and of its first step alone."""
    keras = started(config)
    from keras.applications import VGG16  # noqa: PLC0415
    from keras.layers import Dense, Dropout, GlobalAveragePooling2D  # noqa: PLC0415

    arrays = np.load(config["arrays"])
    x, x_val = (arrays[name].astype("float32") / 255 for name in ("X_train", "X_val"))
    y, y_val = arrays["y_train"], arrays["y_val"]

    base = VGG16(weights=None, include_top=False, input_shape=x.shape[1:])
    base.trainable = False
    pooled = GlobalAveragePooling2D()(base.output)
    hidden = Dropout(0.5)(Dense(256, activation="relu")(pooled))
    model = keras.Model(inputs=base.input, outputs=Dense(1, activation="sigmoid")(hidden))

    class FirstStep(keras.callbacks.Callback):
        """When the first step was done, with whatever is compiled for it."""

        ended: float | None = None

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.ended = self.ended or perf_counter()

    def phase(rate: float, epochs: int) -> dict[str, Any]:
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate=rate),
            loss="binary_crossentropy",
            metrics=["accuracy"],
        )
        first = FirstStep()
        start = perf_counter()
        fitted = model.fit(
            x,
            y,
            epochs=epochs,
            batch_size=config["batch"],
            validation_data=(x_val, y_val),
            callbacks=[first],
        )
        seconds = perf_counter() - start
        assert first.ended is not None
        return {
            "seconds": seconds,
            "first_step_seconds": first.ended - start,
            "losses": fitted.history["loss"],
            "val_losses": fitted.history["val_loss"],
            "trainable_parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        }

    head = phase(0.001, config["head_epochs"])
    base.trainable = True
    for layer in base.layers[:-4]:
        layer.trainable = False
    fine = phase(1e-5, config["fine_epochs"])
    return {"head": head, "fine": fine}


if __name__ == "__main__":
    answer(measure)
