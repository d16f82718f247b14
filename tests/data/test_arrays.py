import io
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ConvlensError
from convlens.data.arrays import class_numbers, labels_of, pixels_of, read_arrays, read_npz
from convlens.data.image_set import SPLITS


def refusal(call, *arguments):
    with pytest.raises(ConvlensError) as caught:
        call(*arguments)
    assert caught.value.exit_status == 2
    return caught.value.message


def test_bytes_are_not_copied():
    images = np.zeros((3, 4, 5, 3), np.uint8)
    pixels, notes = pixels_of(images)
    assert np.shares_memory(pixels, images)
    assert notes == []


def test_a_missing_channel_axis_is_added_and_said():
    pixels, notes = pixels_of(np.zeros((5, 28, 20), np.uint8))
    assert pixels.shape == (5, 28, 20, 1)
    assert notes == ["channel axis added: 28x20 -> 28x20x1"]


@given(st.integers(0, 255))
def test_floats_come_back_as_the_bytes_they_came_from(value):
    images = np.full((1, 2, 2, 1), value, np.uint8)
    for dtype in (np.float16, np.float32, np.float64):
        pixels, notes = pixels_of((images / 255).astype(dtype))
        assert (pixels == images).all()
        assert notes == ["floats in [0, 1] converted to bytes: x -> round(255 x)"]


def test_floats_are_rounded_in_every_chunk():
    values = np.linspace(0, 1, 5000 * 3).reshape(5000, 1, 1, 3)
    pixels, _ = pixels_of(values)
    assert (pixels == np.floor(values * 255 + 0.5)).all()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.full((2, 4, 4, 1), 255.0), ["values reach 255;", "divide by 255 or pass uint8"]),
        (np.full((2, 4, 4), 16.0), ["values reach 16;", "divide by 16"]),
        (np.full((2, 4, 4), -1.0), ["values reach -1;", "undo the normalization"]),
        (np.full((2, 4, 4), np.nan), ["NaN"]),
        (np.full((2, 4, 4), np.inf), ["infinite"]),
        (np.zeros((32, 24, 3), np.uint8), ["looks like one image", "X[None]"]),
        (np.zeros((32, 24, 1)), ["looks like one image", "X[None]"]),
        (np.zeros((2, 4, 32, 32), np.uint8), ["32 channels", "X[:, :3]"]),
        (np.zeros((3, 32, 32), np.uint8), ["may be one image", "X.transpose(1, 2, 0)"]),
        (np.zeros((4, 32, 32), np.uint8), ["or 4 gray images", "X[..., None]"]),
        (np.zeros((2, 28, 28, 4), np.uint8), ["4 channels", "X[..., :3]"]),
        (np.zeros((2, 28, 28, 7), np.uint8), ["7 channels", "1 (gray) or 3 (RGB)"]),
        (np.zeros((2, 784)), ["shape 2 x 784", "height x width"]),
        (np.zeros((0, 28, 28)), ["no images"]),
        (np.zeros((2, 28, 28), np.int64), ["int64", "X.astype('uint8')"]),
        (np.full((2, 28, 28), 255, np.int64), ["int64", "X.astype('uint8')"]),
        (np.ones((2, 28, 28), np.int64), ["X.astype(bool)"]),
        (np.full((2, 28, 28), 4095, np.uint16), ["reach 4,095", "(X / 4095).astype('float32')"]),
        (np.full((2, 28, 28), 4096, np.uint16), ["(X / 65535).astype('float32')"]),
        (np.full((2, 28, 28), -3, np.int16), ["undo the normalization"]),
        (np.full((2, 4, 4), 1.04), ["reach 1.04", "numpy.clip(X, 0, 1)"]),
        (np.linspace(-0.04, 1.03, 32).reshape(2, 4, 4), ["numpy.clip(X, 0, 1)"]),
        (np.linspace(-0.4, 0.4, 32).reshape(2, 4, 4), ["undo the normalization"]),
        (np.full((2, 4, 4), 4000.0), ["value of white (4,095?)"]),
        (np.ma.masked_equal(np.arange(32, dtype=np.uint8).reshape(2, 4, 4), 3), ["1 value of 32"]),
        (np.zeros((2, 28, 28), complex), ["complex"]),
        (np.array([np.zeros((2, 2)), np.zeros((3, 3))], dtype=object), ["different sizes"]),
        ([[[0.0, 1.0]], [[0.0]]], ["not an array"]),
        ("pictures", ["is a single image"]),
        (["a.png", "b.png"], ["X[0] is a file name ('a.png')", "a folder of class folders"]),
        (np.array(["a.png"]), ["is a file name"]),
        ([], ["X is empty"]),
        ({"a": 1}, ["X is a dict"]),
        (None, ["X is a NoneType"]),
        ([np.zeros((8, 8)), np.zeros((9, 8))], ["different sizes (8x8, 9x8)"]),
        ([np.zeros((2, 8, 8, 3))], ["X[0] has shape 2 x 8 x 8 x 3"]),
    ],
)
def test_other_pixels_are_named(images, words):
    message = refusal(pixels_of, images)
    assert "expected" in message
    for word in words:
        assert word in message


def test_torch_tensors_and_lists_are_arrays():
    assert pixels_of(torch.ones(2, 4, 4))[0].max() == 255
    assert pixels_of([[[0.0, 1.0]]])[0].tolist() == [[[[0], [255]]]]


@pytest.mark.parametrize(
    ("labels", "n", "words"),
    [
        (np.eye(10)[:4], 4, ["one-hot", "y.argmax(axis=1)"]),
        (np.arange(5), 4, ["shape 5 beside 4 images", "4 labels"]),
        (np.zeros(4), 4, ["float64", "y.astype(int)"]),
        (np.array([None, "a"]), 2, ["object", "1 missing label of 2", "None at 0"]),
        (np.array(["a", np.nan], dtype=object), 2, ["1 missing label", "nan at 1"]),
        (np.array(["a", np.nan]), 2, ["1 missing label of 2", "nan at 1"]),
        (np.array(["", "b", " "]), 3, ["2 missing labels of 3"]),
        (np.array([1.0, np.nan, 0.0]), 3, ["1 label of 3", "numpy.isfinite(y)", "X[keep]"]),
        (np.array([1.0, np.inf]), 2, ["NaN or infinite"]),
        (np.array([1, np.iinfo(np.int64).min]), 2, ["-9223372036854775808", "NaN becomes"]),
        (np.array([0.5, 1.0]), 2, ["0.5", "regression", "numpy.digitize"]),
        (np.array(["a", 1], dtype=object), 2, ["several kinds (int, str)", "y.astype(str)"]),
        (np.array([1, None], dtype=object), 2, ["1 missing label"]),
        (np.ma.array([0, 1, 0], mask=[0, 1, 0]), 3, ["1 label of 3 hidden", "getmaskarray(y)"]),
        (np.array([[1, 1, 0], [0, 1, 0]]), 2, ["several labels an image"]),
        (np.array([b"a", b"b"]), 2, ["y.astype(str)"]),
        (np.array(["None", "a", "None"]), 3, ["'None' for 2 images of 3", "missing_labels=[]"]),
        (np.array(["na", "a"]), 2, ["'na' for 1 image of 2"]),
        (3, 1, ["shape ()"]),
    ],
)
def test_other_labels_are_named(labels, n, words):
    message = refusal(labels_of, labels, n)
    assert "expected" in message
    for word in words:
        assert word in message


def test_booleans_are_black_and_white():
    pixels, notes = pixels_of(np.array([[[True, False]]]))
    assert pixels.tolist() == [[[[255], [0]]]]
    assert "False is black" in notes[1]


def test_rounding_beyond_one_is_no_mistake():
    pixels, _ = pixels_of(np.array([[[1.0000001, -1e-7, 1.0019, -0.0019]]]))
    assert pixels.ravel().tolist() == [255, 0, 255, 0]


def test_channels_first_are_moved_where_nothing_else_can_be_meant():
    last = np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), dtype=np.uint8)
    first = last.transpose(0, 3, 1, 2)
    for images in (first, torch.from_numpy(first.copy()), list(first), list(last)):
        assert (pixels_of(images)[0] == last).all()
    assert pixels_of(first)[1] == ["channels moved last: 3x12x10 -> 12x10x3"]
    gray = np.zeros((5, 1, 28, 28), np.uint8)
    assert pixels_of(gray)[0].shape == (5, 28, 28, 1)
    assert pixels_of(np.zeros((1, 28, 28), np.uint8))[0].shape == (1, 28, 28, 1)


def test_as_many_labels_as_images_decide_what_three_planes_are():
    found = read_arrays((np.zeros((3, 28, 28), np.uint8), [0, 1, 0]))
    assert found.arrays.shape == (3, 28, 28, 1)
    assert found.axis_added


def test_masks_that_hide_nothing_are_ignored():
    images = np.ma.array(np.zeros((2, 4, 4), np.uint8))
    labels = np.ma.array([0, 1], mask=[0, 0])
    assert read_arrays((images, labels)).labels.tolist() == [0, 1]


def test_tensors_of_every_kind():
    images = torch.ones(2, 3, 8, 8, requires_grad=True)
    for other in (images, images.bool(), images.half(), images.bfloat16(), images * 255 / 255):
        assert pixels_of(other)[0].tolist() == np.full((2, 8, 8, 3), 255).tolist()
    assert pixels_of((images * 255).byte())[0].max() == 255
    assert labels_of(torch.tensor([1, 0]), 2)[0].tolist() == [1, 0]


def test_texts_that_mean_no_label_are_classes_where_the_user_says_so():
    source = np.zeros((3, 2, 2), np.uint8), np.array(["nan", "None", "a"])
    assert read_arrays(source, missing=()).classes == ("None", "a", "nan")
    assert "1 missing label of 3" in refusal(read_arrays, source, ["None"])


def test_two_arrays_for_one_part_of_a_split_are_refused(tmp_path):
    images = np.zeros((2, 2, 2), np.uint8)
    names = {"X_test": images, "y_test": [0, 1], "X_eval": images, "y_eval": [0, 1]}
    np.savez(tmp_path / "a.npz", X_train=images, y_train=[0, 1], **names)
    assert "X_test and X_eval, both X of the test split" in refusal(read_npz, tmp_path / "a.npz")


def test_labels_of_python_objects():
    assert labels_of(np.array([1, 0], dtype=object), 2)[0].dtype == np.int64
    assert "y.astype(int)" in refusal(labels_of, np.array([1.0, 0], dtype=object), 2)


def test_labels_of_every_kind():
    assert labels_of(np.array([[3], [4]]), 2)[1] == ["labels of shape N x 1 read as N"]
    assert labels_of(np.array(["b", "a"], dtype=object), 2)[0].tolist() == ["b", "a"]
    assert labels_of([True, False], 2)[0].tolist() == [True, False]
    assert class_numbers(np.array([True, False]))[0] == ("False", "True")
    assert class_numbers(np.array([10, 9, 10, -1]))[0] == ("-1", "9", "10")


def test_strings_in_both_unicode_forms_are_one_class():
    classes, numbers = class_numbers(np.array(["\u00e9", "e\u0301", "a"]))
    assert classes == ("a", "\u00e9")
    assert numbers.tolist() == [1, 1, 0]


def test_pairs_as_keras_loads_them():
    train = np.zeros((4, 2, 2), np.uint8), np.array([[0], [1], [0], [1]])
    test = np.ones((2, 2, 2), np.uint8), np.array([[1], [0]])
    found = read_arrays((train, test))
    assert found.given.tolist() == [0] * 4 + [2] * 2
    assert found.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert found.arrays.shape == (6, 2, 2, 1)
    assert found.notes == (
        "channel axis added: 2x2 -> 2x2x1",
        "labels of shape N x 1 read as N",
    )


@pytest.mark.parametrize("source", [(), (1, 2, 3), [1, 2], 7, None])
def test_what_is_no_pair_is_refused(source):
    assert "expected (X, y)" in refusal(read_arrays, source)


def test_splits_must_have_one_shape_and_one_kind_of_label():
    small, large = np.zeros((2, 2, 2), np.uint8), np.zeros((2, 3, 3), np.uint8)
    message = refusal(read_arrays, ((small, [0, 1]), (large, [0, 1])))
    assert "2x2x1, 3x3x1" in message
    assert "strings" in refusal(read_arrays, ((small, [0, 1]), (small, ["0", "1"])))


def test_case_twins_are_refused():
    assert "'Cat' and 'cat'" in refusal(read_arrays, (np.zeros((2, 2, 2)), ["Cat", "cat"]))


@pytest.mark.parametrize(
    "names",
    [
        ("X_train", "y_train", "X_test", "y_test"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_npz_with_splits(tmp_path, names):
    x, y, x_test, y_test = names
    path = tmp_path / "mnist.npz"
    arrays = {x: np.zeros((3, 2, 2), np.uint8), y: [0, 1, 2]}
    np.savez(path, **arrays, **{x_test: np.ones((2, 2, 2), np.uint8), y_test: [2, 0]})
    found = read_npz(path)
    assert found.name == "mnist"
    assert found.classes == ("0", "1", "2")
    assert len(found.in_split("train")) == 3
    assert found.labels[found.in_split("test")].tolist() == [2, 0]


def test_npz_with_validation(tmp_path):
    path = tmp_path / "a.npz"
    names = ("train", "val", "test")
    np.savez(
        path,
        **{f"{split}_images": np.zeros((2, 2, 2), np.uint8) for split in names},
        **{f"{split}_labels": [[0], [1]] for split in names},
    )
    assert read_npz(path).given.tolist() == [SPLITS.index(name) for name in names for _ in "01"]


def test_npz_equals_the_arrays_in_it(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.random((5, 3, 4, 3)), np.array(["b", "a", "b", "c", "a"])
    np.savez_compressed(tmp_path / "a.npz", X=images, y=labels)
    from_file, from_python = read_npz(tmp_path / "a.npz"), read_arrays((images, labels))
    assert (from_file.arrays == from_python.arrays).all()
    assert from_file.classes == from_python.classes
    assert (from_file.labels == from_python.labels).all()


@pytest.mark.parametrize("names", [("A", "B"), ("X",), ("X_train", "y_test"), ()])
def test_npz_with_other_names_lists_them(tmp_path, names):
    np.savez(tmp_path / "a.npz", **{name: np.zeros(2) for name in names})
    message = refusal(read_npz, tmp_path / "a.npz")
    assert ", ".join(names) in message
    assert "savez" in message


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04N."])
def test_what_is_no_npz_is_called_so(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    message = refusal(read_npz, tmp_path / "a.npz")
    assert "is not an .npz file" in message
    assert "pickle" not in message


def test_npz_never_loads_a_pickle(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.array([{}, {}], dtype=object), y=[0, 1])
    assert "pickle" in refusal(read_npz, tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04broken"])
def test_damaged_npz(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert "a.npz" in refusal(read_npz, tmp_path / "a.npz")


def test_truncated_member_of_an_npz(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 4, 4), np.uint8))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", buffer.getvalue()[:-20])
        archive.writestr("y.npy", b"")
    assert "a.npz" in refusal(read_npz, tmp_path / "a.npz")


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 4)))
    assert "single array" in refusal(read_npz, tmp_path / "a.npy")


def test_a_damaged_npz_is_named_whatever_is_damaged(tmp_path):
    path = tmp_path / "a.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    np.savez_compressed(path, X=pixels, y=np.arange(20) % 2)
    whole = path.read_bytes()
    for at in range(30, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            read_npz(path)
        except ConvlensError as error:
            assert str(path) in error.message  # noqa: PT017 - some damage does no harm


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800])
def test_labels_that_are_no_text_are_refused(code):
    labels = np.array(["ant", "bee"] * 10)
    labels.view(np.uint32)[4] = code
    with pytest.raises(ConvlensError, match="not Unicode text"):
        labels_of(labels, 20, "y")
