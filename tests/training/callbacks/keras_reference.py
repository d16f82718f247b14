"""What Keras 3's own callbacks do with recorded figures; run alone, it needs Keras.

    KERAS_BACKEND=torch python tests/training/callbacks/keras_reference.py < CASES > FACTS

A case is a callback's name, our settings for it and the figures of the epochs, one after another.
Its facts are, for early stopping: how many epochs are run, and whose weights the model ends with;
for the plateau: the learning rate after each epoch.
"""

import json
import sys
from typing import Any


class Model:
    """As much of a model as a callback needs; its weights say which epoch they are of."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.stop_training = False
        self.epoch = 0

    def get_weights(self) -> int:
        return self.epoch

    def set_weights(self, weights: int) -> None:
        self.epoch = weights


def callback_of(case: dict[str, Any]) -> Any:
    import keras

    asked = dict(case["settings"])
    monitor = asked.pop("monitor")
    asked["mode"] = "min" if monitor.endswith("loss") else "max"
    if case["callback"] == "EarlyStopping":
        return keras.callbacks.EarlyStopping(monitor, **asked)
    return keras.callbacks.ReduceLROnPlateau(monitor, min_lr=asked.pop("min_lr", 0.0), **asked)


def facts(case: dict[str, Any]) -> dict[str, Any]:
    import keras

    callback = callback_of(case)
    model = Model(keras.optimizers.SGD(learning_rate=case.get("rate", 0.01)))
    callback.set_model(model)
    callback.on_train_begin()
    rates, ran = [], 0
    for epoch, value in enumerate(case["values"]):
        model.epoch = ran = epoch + 1
        callback.on_epoch_end(epoch, {case["settings"]["monitor"]: value})
        rate = keras.ops.convert_to_numpy(model.optimizer.learning_rate)
        rates.append(float(f"{rate:.6g}"))  # float32 holds no more
        if model.stop_training:
            break
    callback.on_train_end()
    if case["callback"] == "EarlyStopping":
        return {"epochs": ran, "weights_of": model.epoch}
    return {"rates": rates}


if __name__ == "__main__":
    cases = [{**case, "facts": facts(case)} for case in json.load(sys.stdin)]
    sys.stdout.write("[\n" + ",\n".join(f" {json.dumps(case)}" for case in cases) + "\n]\n")
