"""The small network for 28×28 gray images: three convolutions, two pools, two dense layers.

98,442 parameters at 28×28×1 with 10 classes.
"""

from convlens.models.family import family_from_layers

SIMPLE = family_from_layers(
    """
    conv 16 3 relu
    maxpool 2
    conv 32 3 relu
    maxpool 2
    conv 64 3 relu
    flatten
    dense 128 relu
    dense
    """,
    published_input=(1, 28, 28),
    published_classes=10,
)
