from collections.abc import Callable

import pytest

from convlens.core.classifier import Classifier
from tests.training.quarters import QuarterBatches, small_network


@pytest.fixture
def train() -> QuarterBatches:
    return QuarterBatches(100)


@pytest.fixture
def val() -> QuarterBatches:
    return QuarterBatches(40, seed=1)


@pytest.fixture
def network() -> Callable[[], Classifier]:
    return small_network
