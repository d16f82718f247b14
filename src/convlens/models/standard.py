"""The standard pattern for 32×32 color images: two convolutions, a pool, twice the filters.

With batch normalization and dropout: 815,530 parameters at 32×32×3 with 10 classes (816,938 where
the normalization's statistics are counted as well). Without normalization: 814,122.
"""

from convlens.models.family import family_from_layers

STANDARD = family_from_layers(
    """
    conv 32 3 same relu, batchnorm
    conv 32 3 same relu, batchnorm
    maxpool 2, dropout 0.25

    conv 64 3 same relu, batchnorm
    conv 64 3 same relu, batchnorm
    maxpool 2, dropout 0.25

    conv 128 3 same relu, batchnorm
    conv 128 3 same relu, batchnorm
    maxpool 2, dropout 0.25

    flatten
    dense 256 relu, batchnorm, dropout 0.5
    dense
    """,
    published_input=(3, 32, 32),
    published_classes=10,
)

STANDARD_NO_BN = family_from_layers(
    """
    conv 32 3 same relu
    conv 32 3 same relu
    maxpool 2, dropout 0.25

    conv 64 3 same relu
    conv 64 3 same relu
    maxpool 2, dropout 0.25

    conv 128 3 same relu
    conv 128 3 same relu
    maxpool 2, dropout 0.25

    flatten
    dense 256 relu, dropout 0.5
    dense
    """,
    published_input=(3, 32, 32),
    published_classes=10,
)
