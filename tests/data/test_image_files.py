import os
import sys
from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.data import find_images
from convlens.data.image_files import Walk, is_hidden


def refusal(*arguments):
    with pytest.raises(ConvlensError) as caught:
        find_images(*arguments)
    return caught.value


def test_find_images_in_folders_and_by_name(tmp_path, write_image, listener):
    b, a = write_image(tmp_path / "in" / "b.png"), write_image(tmp_path / "in" / "a.png")
    single = write_image(tmp_path / "z.dat.png")
    (tmp_path / "in" / "x.txt").write_text("x")
    found, skipped = find_images([single, str(tmp_path / "in")], listener)
    assert found == [str(single), str(a), str(b)]
    assert [s.path for s in skipped] == [str(tmp_path / "in" / "x.txt")]
    assert len(listener.warned) == 1


def test_find_images_refuses_what_is_not_there(tmp_path, listener):
    error = refusal([tmp_path / "no.jpg"], listener)
    assert "no.jpg" in error.message
    assert refusal([tmp_path], listener).code == "no-images"
    assert refusal([], listener).code == "no-images"


def test_a_broken_link_or_an_empty_folder_loses_no_other_image(tmp_path, write_image, listener):
    image = write_image(tmp_path / "a.png")
    link, empty = tmp_path / "b.png", tmp_path / "empty"
    link.symlink_to(tmp_path / "nowhere.png")
    empty.mkdir()
    found, skipped = find_images([link, empty, image], listener)
    assert found == [str(image)]
    assert [(s.path, s.reason) for s in skipped] == [
        (str(link), "a link to what does not exist"),
        (str(empty), "no image in this folder"),
    ]
    assert len(listener.warned) == 1
    assert "what is there cannot be used (b.png: a link" in refusal([link], listener).message
    assert "it is empty" in refusal([empty], listener).message


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        (".DS_Store", True),
        ("._cat.jpg", True),
        ("thumbs.DB", True),
        ("__MACOSX", True),
        ("desktop.ini", True),
        ("cat.jpg", False),
        ("_cat.jpg", False),
    ],
)
def test_what_is_the_system_s_own(name, hidden):
    assert is_hidden(name) is hidden


def test_what_is_skipped_deep_down_is_said_in_a_few_lines(tmp_path, write_image, listener):
    write_image(tmp_path / "a.png")
    deep = tmp_path.joinpath(*["folder"] * 60)
    deep.mkdir(parents=True)
    (deep / "x.txt").write_text("x")
    _, skipped = find_images([tmp_path], listener)
    (warning,) = listener.warned
    assert len(skipped[0].path) > 400
    assert "x.txt (not an image convlens reads (.txt))" in warning
    assert len(warning) < 300


def test_a_folder_named_twice_is_read_for_each(tmp_path, write_image, listener):
    write_image(tmp_path / "a.png")
    found, _ = find_images([tmp_path, tmp_path / "a.png"], listener)
    assert found == [str(tmp_path / "a.png")] * 2


def test_a_link_to_itself_hides_nothing_else(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    walk = Walk(tmp_path)
    assert walk.images(tmp_path) == [str(tmp_path / "a.png")]
    assert [Path(s.path).name for s in walk.skipped] == ["self.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_are_skipped_and_can_be_shown(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    for name in (b"b\xff.png", b"folder\xff"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_bytes(b"x") if b"png" in name else path.mkdir()
    walk = Walk(tmp_path)
    assert walk.images(tmp_path) == [str(tmp_path / "a.png")]
    assert len(walk.skipped) == 2
    assert all("\ufffd" in s.path.encode().decode() for s in walk.skipped)
    assert {s.reason for s in walk.skipped} == {"its name is not valid UTF-8"}


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be nested so deep there")
def test_folders_nested_deeper_than_a_path_may_be_long(tmp_path, write_image):
    """What can be reached is read, the rest is named."""
    name = "nested" * 40
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    write_image(tmp_path / name / "a.png")
    walk = Walk(tmp_path)
    assert len(walk.images(tmp_path)) == 1
    assert ["the folder cannot be read" in s.reason for s in walk.skipped] == [True]
