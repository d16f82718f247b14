"""The Python API: the verbs, and what they hand back, from their docstrings."""

import convlens

_OPENING = """# Python API

```python
import convlens

run = convlens.train("digits", epochs=2, quiet=True)
print(f"{run.metrics['test']['accuracy']:.0%}")
```

"""
_VERB_OPTIONS = "    options:\n      heading_level: 3\n      show_root_toc_entry: true\n"
HANDED_BACK = (
    "convlens.runs.Run",
    "convlens.evaluation.Metrics",
    "convlens.prediction.Predictor",
    "convlens.prediction.Prediction",
    "convlens.data.Dataset",
    "convlens.data.SourceInfo",
    "convlens.data.CacheInfo",
    "convlens.inspection.Trace",
    "convlens.inspection.Comparison",
    "convlens.inspection.pictures.Visualizer",
    "convlens.inspection.pictures.Look",
    "convlens.core.classifier.Classifier",
    "convlens.core.input_spec.InputSpec",
    "convlens.core.errors.ConvlensError",
    "convlens.core.errors.WorkFailedError",
)


def page() -> str:
    """The whole page, as directives for mkdocstrings."""
    verbs = [name for name in convlens.__all__ if name[0].islower()]
    parts = [_OPENING, "## Verbs\n\n"]
    # By its module: `convlens.api.check` would be the module of that name.
    owners = {name: getattr(convlens, name).__module__ for name in verbs}
    parts += [f"::: {owners[name]}.{name}\n{_VERB_OPTIONS}\n" for name in verbs]
    parts += ["## What they hand back\n\n"]
    parts += [f"::: {name}\n{_VERB_OPTIONS}\n" for name in HANDED_BACK]
    return "".join(parts)
