import json
import random
import re
import sys
import tracemalloc
from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.data import DataSettings, open_for_evaluation, open_source, parquet_table
from convlens.data.image_set import SPLITS
from convlens.data.table_files import read_records
from convlens.data.tables import read_table


@pytest.fixture
def table(tmp_path, write_image):
    """Writes a CSV of the text given, beside images a.png to f.png."""
    for name in "abcdef":
        write_image(tmp_path / "images" / f"{name}.png")

    def write(text, name="plants.csv", encoding="utf-8"):
        (tmp_path / name).write_text(text, encoding)
        return tmp_path / name

    return write


def read(path, **settings):
    return read_table(path, DataSettings(**settings))


def refusal(path, **settings):
    with pytest.raises(ConvlensError) as caught:
        read(path, **settings)
    assert caught.value.exit_status == 2
    return caught.value


def test_a_table_is_read(table):
    found = read(table("image,label\nimages/a.png,rose\nimages/b.png,daisy\nimages/c.png,rose\n"))
    assert found.name == "plants"
    assert found.classes == ("daisy", "rose")
    assert found.labels.tolist() == [1, 0, 1]
    assert found.names() == ["images/a.png", "images/b.png", "images/c.png"]
    assert found.groups is None
    assert (found.given == -1).all()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_common_dialect(table, separator, encoding, ending):
    lines = ["image,label", "images/a.png,élan", 'images/b.png,"two words"']
    text = ending.join(line.replace(",", separator) for line in lines)
    assert read(table(text, encoding=encoding)).classes == ("two words", "élan")


@pytest.mark.parametrize(
    "text",
    [
        '"image";"label";"size, w, h, d"\nimages/a.png;x;"1,2"\nimages/b.png;y;"3"\n',
        "image;label;size, w, h, d\nimages/a.png;x;1,2\nimages/b.png;y;3\n",
        "sep=;\nimage;label\nimages/a.png;x\nimages/b.png;y\n",
        "sep=|\nimage|label\nimages/a.png|x\nimages/b.png|y\n",
        '"sep=\t"\r\nimage\tlabel\r\nimages/a.png\tx\r\nimages/b.png\ty\r\n',
        "image|label\nimages/a.png|x\nimages/b.png|y\n",
        'image, label\n"images/a.png", "x"\nimages/b.png, y\n',
        "image,label\nimages/a.png,x,,\nimages/b.png,y\n,\n,,,\n",
        "Image,LABEL\nimages/a.png,x\nimages/b.png,y\n",
        "filename,label\nimages/a.png,x\nimages/b.png,y\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_what_spreadsheets_write(table, text, encoding):
    found = read(table(text, encoding=encoding))
    assert found.classes == ("x", "y")
    assert found.names() == ["images/a.png", "images/b.png"]
    assert found.skipped == ()


def test_the_number_of_a_row_counts_the_separator_line(table):
    error = refusal(table("sep=;\nimage;label\nimages/gone.png;x\n"))
    assert "row 3: no such file" in error.message


def test_a_table_without_a_heading_is_called_so(table):
    message = refusal(table("images/a.png,x\nimages/b.png,y\n")).message
    assert "names an image ('images/a.png')" in message
    assert "image,label" in message


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("is_valid", ("False", "True")),
        ("is_valid", ("0", "1")),
        ("Is_Valid", ("no", "yes")),
        ("set", ("train", "valid")),
        ("subset", ("Training", "dev")),
        ("partition", ("train_set", "validation")),
    ],
)
def test_a_column_of_splits_with_another_name_is_used_and_said(table, column, cells):
    text = f"image,label,{column}\n" + "".join(
        f"images/{name}.png,{'xy'[n % 2]},{cells[n > 3]}\n" for n, name in enumerate("abcdef")
    )
    found = read(table(text))
    assert [SPLITS[i] for i in found.given] == ["train"] * 4 + ["val"] * 2
    assert found.notes == (f"splits read from the column '{column}' of plants.csv",)
    assert found.doubts == {}


@pytest.mark.parametrize(
    ("column", "cells"),
    [("fold", "012345"), ("partition", "001122"), ("set", "xyxyxy"), ("is_valid", "010 10")],
)
def test_a_column_that_may_hold_splits_and_cannot_be_read_is_said(table, tmp_path, column, cells):
    text = f"image,label,{column}\n" + "".join(
        f"images/{name}.png,{'xy'[n % 2]},{cells[n].strip()}\n" for n, name in enumerate("abcdef")
    )
    found = read(table(text))
    assert (found.given == -1).all()
    assert f"the column '{column}' holds" in found.doubts["split-unused"].seen
    assert read(tmp_path / "plants.csv", group_column=column).doubts == {}


def test_the_column_split_comes_before_others(table):
    found = read(table("image,label,split,is_valid\nimages/a.png,x,train,True\n"))
    assert [SPLITS[i] for i in found.given] == ["train"]
    named = read(
        table("image,label,is_test\nimages/a.png,x,no\nimages/b.png,y,yes\n"),
        split_column="is_test",
    )
    assert [SPLITS[i] for i in named.given] == ["train", "test"]


def test_files_in_folders_of_splits_are_said(table, tmp_path, write_image):
    for split in ("train", "test"):
        write_image(tmp_path / split / "1.png")
    found = read(table("image,label\ntrain/1.png,x\ntest/1.png,y\n"))
    assert "lie in folders of splits (test, train)" in found.doubts["split-unused"].seen.replace(
        "train, test", "test, train"
    )


def test_names_without_a_suffix_are_completed_where_one_file_fits(table, tmp_path, write_image):
    write_image(tmp_path / "images" / "twice.png")
    write_image(tmp_path / "images" / "twice.jpg")
    write_image(tmp_path / "images" / "v1.2.png")
    found = read(table("image,label\nimages/a,x\nimages/b,y\nimages/v1.2,y\nimages/twice,x\n"))
    assert found.names() == ["images/a.png", "images/b.png", "images/v1.2.png"]
    assert found.notes[0] == (
        "3 names without a suffix in plants.csv completed, the first 'images/a' to a.png"
    )
    (skipped,) = found.skipped
    assert "several with a suffix (twice.jpg, twice.png)" in skipped.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images/a.jpg", ["there is a.png in that folder"]),
        ("a.png", ["there is images/a.png"]),
        ("a", ["there is images/a.png"]),
        ("IMAGES/A.PNG", ["there is images/a.png"]),
        ("D:\\photos\\a.png", ["D:\\photos\\a.png", "there is images/a.png"]),
        ("elsewhere/z.png", ["names are relative to the table's folder"]),
        ("https://example.org/images/a.png", ["web address", "download the images"]),
        ("s3://bucket/a.png", ["web address"]),
    ],
)
def test_where_no_file_is_found_the_path_and_what_is_near_are_said(table, tmp_path, name, words):
    error = refusal(table(f"image,label\n{name},x\n{name},y\n"))
    assert error.code == "no-images"
    if ":" not in name:
        assert str(tmp_path / name) in error.message
    for word in words:
        assert word in error.message


def test_some_files_that_are_missing_are_counted_with_a_hint(table, tmp_path):
    found = read(table("image,label\nimages/a.png,x\nb.png,y\nhttps://x.org/c.png,x\n"))
    assert [s.path for s in found.skipped] == [str(tmp_path / "b.png"), "https://x.org/c.png"]
    (note,) = found.notes
    assert note.startswith("2 files of plants.csv not found, the first in row 3; there is images/b")
    assert note.endswith(f"write names from {tmp_path} on")


def test_json_lines_equal_csv(table):
    as_csv = read(table("image,label,split\nimages/a.png,1,train\nimages/b.png,2,test\n"))
    lines = (
        '{"image": "images/a.png", "label": 1, "split": "train", "box": {"x": 1}}\n\n'
        '{"split": "test", "image": "images/b.png", "label": 2.0}\n'
        '{"split": "test", "image": "images/c.png", "label": null}\n'
    )
    found = read(table(lines, name="plants.jsonl"))
    assert found.paths == as_csv.paths
    assert found.classes == as_csv.classes
    assert (found.given == as_csv.given).all()
    assert [s.reason for s in found.skipped] == ["row 4: no label"]
    lists = '{"image": "images/a.png", "label": ["x", "y"]}\n'
    assert refusal(table(lists, name="plants.jsonl")).code == "several-labels"


@pytest.mark.parametrize(
    "line", ["[1]", "{", "[" * 100_000, "7", '"a"', r'{"image": "a.png", "label": "\ud800"}']
)
def test_lines_that_are_no_objects(table, line):
    assert "line 1 of" in refusal(table(line, name="plants.jsonl")).message


def test_parquet_without_a_value_has_no_label(table, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    names = [f"images/{name}.png" for name in "abcd"]
    rows = {"image": names, "label": [1.0, None, float("nan"), 2.0]}
    parquet.write_table(pa.table(rows), tmp_path / "t.parquet")
    found = read(tmp_path / "t.parquet")
    assert found.classes == ("1", "2")
    assert [s.unlabeled for s in found.skipped] == [True, True]
    lists = {"image": names[:1], "label": [["x", "y"]], "other": [{"a": 1}]}
    parquet.write_table(pa.table(lists), tmp_path / "t.parquet")
    assert refusal(tmp_path / "t.parquet").code == "several-labels"


def test_splits_and_groups(table):
    found = read(
        table(
            "image,label,split,group\nimages/a.png,x,train,p1\nimages/b.png,y,train,p1\n"
            "images/c.png,x,Validation,p2\nimages/d.png,y,test,\nimages/e.png,y,test,\n"
        )
    )
    assert [SPLITS[i] for i in found.given] == ["train", "train", "val", "test", "test"]
    assert found.groups[0] == found.groups[1]
    assert len(set(found.groups.tolist())) == 4


def test_other_columns_by_name(table):
    path = table("file,species,fold\nimages/a.png,x,train\nimages/b.png,y,test\n")
    found = read(path, image_column="file", label_column="species", split_column="fold")
    assert found.classes == ("x", "y")
    assert len(found.in_split("test")) == 1


@pytest.mark.parametrize("asked", ["label_column", "image_column", "group_column", "split_column"])
def test_a_missing_column_lists_those_there(table, asked):
    error = refusal(table("image,label\nimages/a.png,x\n"), **{asked: "species"})
    assert error.code == "no-such-column"
    kind = asked.removesuffix("_column")
    assert f"{kind} column 'species' is not in" in error.message
    assert "(columns: image, label)" in error.message
    assert f"--set data.{asked}=NAME" in error.message


def test_a_column_that_is_there_twice(table):
    assert "twice" in refusal(table("image,label,label\nimages/a.png,x,y\n")).message


def test_rows_without_a_file_or_a_label_are_named(table, tmp_path):
    (tmp_path / "folder.png").mkdir()
    found = read(
        table(
            "image,label\nimages/a.png,x\nimages/gone.png,x\nimages/b.png,\n,x\nfolder.png,x\n"
            "images/c.png,y\na\0b.png,x\n"
        )
    )
    assert len(found) == 2
    assert [(s.path, s.reason) for s in found.skipped] == [
        (str(tmp_path / "images" / "gone.png"), "row 3: no such file"),
        (str(tmp_path / "images" / "b.png"), "row 4: no label"),
        ("(no file name)", "row 5: no such file"),
        (str(tmp_path / "folder.png"), "row 6: no such file"),
        (str(tmp_path / "a\0b.png"), "row 8: no such file"),
    ]
    assert [s.unreadable for s in found.skipped] == [True, False, False, True, True]


def test_a_table_whose_files_are_all_missing(table):
    error = refusal(table("image,label\ngone/a.png,x\ngone/b.png,y\n"))
    assert error.code == "no-images"
    assert "row 2: no such file" in error.message


def test_conflicting_rows_are_refused_with_their_numbers(table):
    for columns, one, two in (
        ("label", "x", "y"),
        ("label,split", "x,train", "x,test"),
        ("label,group", "x,p1", "x,p2"),
    ):
        text = f"image,{columns}\nimages/a.png,{one}\nimages/../images/a.png,{two}\n"
        error = refusal(table(text))
        assert error.code == "conflicting-rows"
        assert "row 2" in error.message
        assert "row 3" in error.message
        assert "of 1 file:" in error.message


def test_every_conflict_is_counted_and_the_first_are_named(table):
    rows = "".join(f"images/{name}.png,x,train\nimages/{name}.png,y,test\n" for name in "abcde")
    message = refusal(table("image,label,split\n" + rows)).message
    assert "of 5 files:" in message
    assert "the label 'x' and 'y', the split 'train' and 'test'" in message
    assert message.count(".png") == 3
    assert "and 2 more" in message


def test_a_file_named_twice_counts_once(table):
    found = read(table("image,label\nimages/a.png,x\nimages/b.png,y\n./images/a.png,x\n"))
    assert len(found) == 2
    assert found.notes == ("1 row of plants.csv named a file that an earlier row names",)


def test_a_group_in_two_splits_is_read_and_left_to_the_checks(table):
    found = read(
        table("image,label,split,group\nimages/a.png,x,train,p1\nimages/b.png,y,test,p1\n")
    )
    assert found.groups is not None
    assert found.groups[0] == found.groups[1]
    assert found.given.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns: none"),
        ("image,label\n", "no images"),
        ("image,label\nimages/a.png,x,y\n", "line 2 of"),
        ('image,label\nimages/a.png,"x\n', "is no table at line"),
        ("image,label,split\nimages/a.png,x,treno\n", "the split 'treno'"),
        (
            "image,label,split\nimages/a.png,x,train\nimages/b.png,x,\n",
            "no split in 1 row and one in 1",
        ),
        ("image,label\nimages/a.png,Cat\nimages/b.png,cat\n", "'Cat' and 'cat'"),
    ],
)
def test_tables_that_cannot_be_used(table, text, words):
    assert words in refusal(table(text)).message


def test_a_table_in_another_encoding(table):
    error = refusal(table("image,label\nimages/a.png,élan\n", encoding="latin-1"))
    assert "save it as CSV UTF-8" in error.message


def test_paths_as_windows_writes_them(table):
    assert len(read(table("image,label\nimages\\a.png,x\n"))) == 1


def test_absolute_paths(table, tmp_path):
    found = read(table(f"image,label\n{tmp_path / 'images' / 'a.png'},x\n"))
    assert found.names() == ["images/a.png"]


def test_through_open_source_groups_stay_together(tmp_path, write_image, listener):
    rows = ["image,label,group"]
    for number in range(60):
        write_image(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'xy'[number % 2]},plant{number // 4}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    images = open_source(tmp_path / "t.csv", reporter=listener)
    side = {int(i): name for name, numbers in images.splits.items() for i in numbers}
    assert len(side) == 60
    assert set(side.values()) == set(SPLITS)
    plants = {name: set() for name in SPLITS}
    for i, path in enumerate(images.paths):
        plants[side[i]].add(int(Path(path).stem) // 4)
    assert not plants["train"] & plants["test"]
    assert not plants["train"] & plants["val"]
    assert not plants["val"] & plants["test"]


def test_evaluation_of_a_table_with_other_columns(table, listener):
    path = table("file,species\nimages/a.png,x\nimages/b.png,y\n")
    settings = DataSettings(image_column="file", label_column="species")
    images = open_for_evaluation(path, classes=["y", "x"], settings=settings, reporter=listener)
    assert images.labels.tolist() == [1, 0]


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    error = refusal(tmp_path / "t.parquet")
    assert error.code == "missing-extra"
    assert "pip install 'convlens[parquet]'" in error.message


def test_parquet_equals_csv(table, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = {"image": ["images/a.png", "images/b.png"], "label": [1, 2], "split": ["train", None]}
    rows["split"] = ["train", "test"]
    parquet.write_table(pa.table(rows), tmp_path / "t.parquet")
    as_csv = read(table("image,label,split\nimages/a.png,1,train\nimages/b.png,2,test\n"))
    as_parquet = read(tmp_path / "t.parquet")
    assert as_parquet.paths == as_csv.paths
    assert as_parquet.classes == as_csv.classes
    assert (as_parquet.given == as_csv.given).all()


def test_a_damaged_parquet_file(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and then nothing")
    assert refusal(tmp_path / "t.parquet").code == "bad-table"


def _write_parquet(path, columns, **options):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), path, **options)


def test_what_is_read_of_parquet(tmp_path, write_image):
    """Columns of values become text, nulls become empty, nested columns are left out."""
    write_image(tmp_path / "a.png")
    blobs = [{"bytes": b"x", "path": None}] * 2
    rows = {"Image": ["a.png", None], "label": [3, 3], "image": blobs, "more": [[1], [2]]}
    _write_parquet(tmp_path / "t.parquet", rows)
    found = read(tmp_path / "t.parquet")
    assert found.classes == ("3",)
    assert [s.reason for s in found.skipped] == ["row 2: no such file"]


def test_only_columns_of_use_are_read_of_parquet(tmp_path, write_image, monkeypatch):
    write_image(tmp_path / "a.png")
    monkeypatch.setattr(parquet_table, "_MOST_BYTES", 10_000)
    rows = {"file_name": ["a.png"], "label": ["x"], "caption": [random_text(100_000)]}
    _write_parquet(tmp_path / "t.parquet", rows)
    assert read(tmp_path / "t.parquet").classes == ("x",)
    _write_parquet(tmp_path / "t.parquet", {**rows, "label": rows["caption"]})
    error = refusal(tmp_path / "t.parquet")
    assert "more than a table of images holds" in error.message
    assert error.code == "bad-table"


def test_rows_of_parquet_are_counted_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_table, "_columns", lambda *_: pytest.fail("read"))
    path = tmp_path / "t.parquet"
    pa = pytest.importorskip("pyarrow")
    rows = pa.nulls(parquet_table.MOST_ROWS + 1, pa.string())
    _write_parquet(path, {"image": rows, "label": rows})
    assert "has 2,000,001 rows, and at most 2,000,000 are read" in refusal(path).message


def test_a_long_text_in_many_cells_of_parquet_is_held_once(tmp_path):
    text, count = random_text(100_000), 2_000
    _write_parquet(tmp_path / "t.parquet", {"image": [text] * count, "label": ["x"] * count})
    tracemalloc.start()
    columns, rows = read_records(tmp_path / "t.parquet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert columns == ["image", "label"]
    assert {record["image"] for _, record in rows} == {text}
    assert peak < 20_000_000
    _write_parquet(tmp_path / "t.parquet", {"image": [text] * 5_000, "label": ["x"] * 5_000})
    assert "has more than 268,435,456 characters in image, label" in (
        refusal(tmp_path / "t.parquet").message
    )


def test_a_long_label_of_many_rows_takes_no_more_than_itself(table, tmp_path, write_image):
    lines = ["image,label", *(f"{number}.png,{'x' * 50_000}" for number in range(2))]
    for number in range(200):
        write_image(tmp_path / f"{number}.png")
    lines += [f"{number}.png,short" for number in range(2, 200)]
    path = table("\n".join(lines))
    tracemalloc.start()
    found = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(name) for name in found.classes] == [5, 50_000]
    assert peak < 10_000_000


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_null_character_is_refused_with_its_row(suffix, tmp_path, write_image):
    for name in "ab":
        write_image(tmp_path / f"{name}.png")
    path = tmp_path / f"t.{suffix}"
    labels = ["x", "x\0"]
    if suffix == "parquet":
        _write_parquet(path, {"image": ["a.png", "b.png"], "label": labels})
    elif suffix == "jsonl":
        rows = zip("ab", labels, strict=True)
        path.write_text(
            "\n".join(json.dumps({"image": f"{n}.png", "label": label}) for n, label in rows)
        )
    else:
        path.write_text("image,label\na.png,x\nb.png,x\0\n")
    error = refusal(path)
    assert error.code == "bad-table"
    assert re.search("row [23] of .* has a label with a null character", error.message)


def random_text(length):
    return "".join(random.Random(0).choices("abcdefgh", k=length))


def test_a_parquet_file_of_damaged_text_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"image": [f"{n}.png" for n in range(20)], "label": ["ant", "bee"] * 10})
    parquet.write_table(table, tmp_path / "t.parquet", compression="none", use_dictionary=False)
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content.replace(b"ant", b"a\xff\xfe"))
    with pytest.raises(ConvlensError, match="cannot read"):
        read_table(tmp_path / "t.parquet", DataSettings())
