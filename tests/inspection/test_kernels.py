"""Kernels by name and as typed."""

import numpy as np
import pytest

from convlens.core.errors import ConvlensError
from convlens.inspection.kernels import find_kernel, known_kernels, read_matrix


@pytest.mark.parametrize(
    "name", ["vertical edge", "vertical-edge", "Vertical_Edge", " vertical  edge "]
)
def test_a_name_is_found_however_its_words_are_joined(name: str) -> None:
    kernel = find_kernel(name)
    assert kernel.name == "vertical edge"
    np.testing.assert_array_equal(kernel.weights, [[-1, 0, 1]] * 3)


def test_the_kernels_of_every_text_are_there() -> None:
    for name in ("vertical edge", "horizontal edge", "blur", "sharpen", "emboss", "identity"):
        assert name in known_kernels()


@pytest.mark.parametrize("name", known_kernels())
def test_what_each_kernel_does_to_a_flat_image(name: str) -> None:
    """Edges and outlines answer nothing to a flat image; all others keep its brightness."""
    total = find_kernel(name).weights.sum()
    finds_edges = "edge" in name or "sobel" in name or name == "outline"
    assert total == pytest.approx(0 if finds_edges else 1)


def test_horizontal_edge_is_vertical_edge_turned() -> None:
    across, down = find_kernel("vertical edge").weights, find_kernel("horizontal edge").weights
    np.testing.assert_array_equal(down, across.T)


@pytest.mark.parametrize(
    "text", ["-1 0 1; -1 0 1; -1 0 1", "-1,0,1;-1,0,1;-1,0,1", " -1, 0 1;-1 0 1 ;-1.0 0 +1;"]
)
def test_a_kernel_is_typed_with_spaces_or_commas(text: str) -> None:
    np.testing.assert_array_equal(find_kernel(text).weights, [[-1, 0, 1]] * 3)


def test_fractions_and_exponents_are_numbers() -> None:
    np.testing.assert_allclose(
        find_kernel("1/9 -2/4; 1e-2 .5").weights, [[1 / 9, -0.5], [0.01, 0.5]]
    )


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(ConvlensError, match="unknown kernel 'sharpn'; did you mean 'sharpen'"):
        find_kernel("sharpn")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2; 3", "rows of 2, 1 numbers"),
        ("1 2; ; 3 4", "rows of 2, 0, 2 numbers"),
        ("", "rows of 0 numbers"),
        ("1 2; 3 1/0", "'1/0'"),
        ("1 --2", "'--2'"),
        ("1 2e999", "'2e999'"),
        ("1/2/3 1", "'1/2/3'"),
    ],
)
def test_what_is_wrong_with_a_typed_kernel_is_said(text: str, said: str) -> None:
    with pytest.raises(ConvlensError, match=said.replace("/", ".")) as raised:
        find_kernel(text)
    assert raised.value.code == "bad-matrix"


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "x"])
def test_a_matrix_of_numbers_has_finite_numbers_alone(word: str) -> None:
    with pytest.raises(ConvlensError, match=f"'{word}'"):
        read_matrix(f"1 {word}", what="image")
