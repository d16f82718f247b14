"""What a reader may type: to train the run again, and to use what it has trained."""

import json
from pathlib import Path

from convlens.core.command_line import command
from convlens.recipe import ARRAYS
from convlens.reporting.facts import Facts
from convlens.reporting.preflight import allowed_codes

_ANSWERS = """\
    for guess in prediction.top:
        print(guess.name, guess.probability)
"""
_ANSWERS_OR_NOT_SURE = """\
    if prediction.sure:
        print(prediction.top[0].name, prediction.top[0].probability)
    else:
        print("not sure:", [guess.name for guess in prediction.candidates])
"""


def comes_from_arrays(facts: Facts) -> bool:
    """Whether the images were handed over in Python."""
    return facts.recipe.source == ARRAYS


def train_again(facts: Facts) -> str:
    """The command that runs the recipe again; Python where the images were arrays."""
    allowed = allowed_codes(facts)
    if comes_from_arrays(facts):
        allow = f", allow={json.dumps(allowed)}" if allowed else ""
        return f'import convlens\n\nrun = convlens.train((X, y), recipe="recipe.toml"{allow})'
    allowing = [word for code in allowed for word in ("--allow", code)]
    return command("train", "--recipe", Path(facts.folder) / "recipe.toml", *allowing)


def measure_it(facts: Facts) -> str:
    """The command that measures the network on labeled images."""
    return command("evaluate", Path(facts.folder), "SOURCE", *facts.recipe.model.trust_words)


def use_it(facts: Facts) -> str:
    """Commands that use the network."""
    folder, trust = Path(facts.folder), facts.recipe.model.trust_words
    return "\n".join(
        (
            command("predict", folder, "image.jpg", *trust),
            command("evaluate", folder, "FOLDER-OF-LABELLED-IMAGES", *trust),
            command("visualize gradcam", folder, "image.jpg", "--out", "looks", *trust),
        )
    )


def use_it_in_python(facts: Facts) -> str:
    """Python that uses the network; where it has a rule for it, also says "not sure"."""
    trust = ", trust_code=True" if facts.recipe.model.trust_words else ""
    rule = (facts.metrics.get("selective") or {}).get("rule")
    return (
        "import convlens\n\n"
        f"predictor = convlens.load({facts.folder!r}{trust})\n"
        'for prediction in predictor.predict(["image.jpg"], top=3):\n'
        + (_ANSWERS_OR_NOT_SURE if rule else _ANSWERS)
        + "    print(prediction.unknown)"
    )
