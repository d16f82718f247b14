import pytest

from convlens.core.errors import ConvlensError
from convlens.data import DataSettings
from convlens.data.table_labels import combinations, is_missing
from convlens.data.tables import read_table


@pytest.fixture
def labeled(tmp_path, write_image):
    """Writes a CSV that gives the labels, in order, to as many images."""

    def write(*labels, name="plants.csv"):
        rows = ["image\tlabel"]
        for number, label in enumerate(labels):
            write_image(tmp_path / f"{number}.png")
            rows.append(f"{number}.png\t{label}")
        (tmp_path / name).write_text("\n".join(rows), "utf-8")
        return tmp_path / name

    return write


def read(path, **settings):
    return read_table(path, DataSettings(**settings))


def refusal(path, **settings):
    with pytest.raises(ConvlensError) as caught:
        read(path, **settings)
    assert caught.value.exit_status == 2
    return caught.value


@pytest.mark.parametrize("absent", ["", "  ", "nan", "NaN", "null", "NULL", "N/A", "<NA>", "#N/A"])
def test_a_missing_label_is_left_out_and_counted(labeled, absent):
    found = read(labeled("cat", absent, "dog", absent))
    assert found.classes == ("cat", "dog")
    assert len(found) == 2
    assert [s.unlabeled for s in found.skipped] == [True, True]
    assert found.skipped[0].reason.startswith("row 3: no label")
    assert "2 rows of plants.csv without a label" in found.notes[0]


@pytest.mark.parametrize("word", ["None", "NA", "none", "na"])
def test_a_word_that_may_be_a_class_is_a_question(labeled, word):
    path = labeled("cat", word, "dog", word)
    error = refusal(path)
    assert error.code == "unclear-labels"
    assert f"the label '{word}' for 2 images of 4" in error.message
    assert f"data.missing_labels=['{word}']" in error.remedy
    assert read(path, missing_labels=[]).classes == tuple(sorted(["cat", "dog", word]))
    assert read(path, missing_labels=[word]).classes == ("cat", "dog")


def test_the_user_may_say_which_labels_are_missing(labeled):
    path = labeled("cat", "nan", "?", "dog")
    assert read(path, missing_labels=["?"]).classes == ("cat", "dog", "nan")
    assert read(path, missing_labels=[]).classes == ("?", "cat", "dog", "nan")
    assert is_missing("", missing=()), "an empty cell is never a label"


@pytest.mark.parametrize(
    "labels",
    [
        ("cat", "dog", "cat,dog"),
        ("cat", "dog", "cat|dog"),
        ("cat", "cat;dog"),
        ("cat", "dog", "dog / cat"),
        ("cat", "dog", "cat dog"),
        ("cat,dog", "dog,owl", "cat,owl"),
        ("1", "2", "1,2"),
        ("cat", "['cat', 'dog']", "dog"),
    ],
)
def test_several_labels_in_a_cell_are_a_question(labeled, labels):
    error = refusal(labeled(*labels))
    assert error.code == "several-labels"
    assert "in row" in error.message
    assert "convlens does not give an image several labels" in error.message
    assert "+" in error.remedy


@pytest.mark.parametrize(
    "labels",
    [
        ("tench, Tinca tinca", "carp"),
        ("Dachshund, smooth", "Dachshund, wire", "Terrier, smooth", "Terrier, wire"),
        ("red fox", "red panda", "arctic fox"),
        ("cat", "dog", "cat+dog"),
        ("either/or", "neither"),
    ],
)
def test_a_class_with_a_separator_in_its_name_is_a_class(labeled, labels):
    assert combinations(labels) == set()
    assert read(labeled(*labels)).classes == tuple(sorted(labels))


def test_real_numbers_are_a_question(labeled):
    numbers = [f"{0.37 * number:.3f}" for number in range(30)]
    error = refusal(labeled(*numbers))
    assert error.code == "real-valued-labels"
    assert "30 different real numbers" in error.message
    assert "regression" in error.message
    assert refusal(labeled(*[n.replace(".", ",") for n in numbers])).code == "real-valued-labels"
    few = read(labeled(*["0.5", "1.5"] * 15))
    assert few.classes == ("0.5", "1.5")


def test_whole_numbers_that_became_floats_are_whole_again(labeled):
    found = read(labeled("1.0", "10.0", "2.0", ""))
    assert found.classes == ("1", "10", "2")
    assert "labels read as whole numbers: 1.0 -> 1" in found.notes
    assert read(labeled("1.0", "1")).classes == ("1",)
    assert read(labeled("01", "02")).classes == ("01", "02")
    assert read(labeled("1.0", "1.5")).classes == ("1.0", "1.5")


def test_white_space_around_a_label_is_no_part_of_it(labeled):
    assert read(labeled("cat", " cat", "cat\u00a0", "dog ")).classes == ("cat", "dog")


def test_for_evaluation_labels_are_those_of_the_network(labeled):
    path = labeled("cat", "dog", "cat dog")
    found = read_table(path, DataSettings(), for_training=False)
    assert found.classes == ("cat", "cat dog", "dog")
