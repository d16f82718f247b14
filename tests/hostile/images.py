"""Images: sound files of every format and mode, damaged by chance; and `tests.hostile.bombs`."""

import functools
import io
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, features

from tests.hostile import bombs, formats
from tests.hostile.case import Case, Ground, Kind, Outcome
from tests.hostile.fixture import CLASSES
from tests.hostile.mutations import mutate

_CHECKED_TOO = 0.15
"""The share of mutated images that are checked among sound ones too, which takes longer."""


@functools.cache
def samples() -> Mapping[str, bytes]:
    """Sound files by name, whose beginning up to a hyphen is the suffix."""
    noise = np.random.default_rng(0).normal(128, 60, (30, 41, 3)).clip(0, 255).astype(np.uint8)
    noise[5:20] = noise[5:6, :1]  # some of it compresses
    rgb = Image.fromarray(noise)
    gray16 = Image.fromarray((noise[..., 0].astype(np.uint16) << 8) + 77)
    rgba, palette = rgb.convert("RGBA"), rgb.quantize(60)
    rgba.putalpha(rgb.getchannel("R"))
    profile = bytes(range(256)) * 3
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "plain")
    text.add_text("packed", "x" * 2000, zip=True)
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
    frames = [rgb.rotate(angle) for angle in (90, 180, 270)]
    several = {"save_all": True, "append_images": frames, "duration": 50, "loop": 0}
    more: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "jpg": (rgb, {"quality": 90}),
        "jpg-exif": (rgb, {"exif": exif, "icc_profile": profile, "comment": b"text"}),
        "jpg-progressive": (rgb, {"progressive": True}),
        "jpg-progressive-gray": (rgb.convert("L"), {"progressive": True}),
        "jpg-restarts": (rgb, {"restart_marker_blocks": 1, "subsampling": 0}),
        "jpg-cmyk": (rgb.convert("CMYK"), {}),
        "jpg-mpo": (rgb, {"format": "MPO", "save_all": True, "append_images": frames[:1]}),
        "png": (rgb, {"pnginfo": text, "exif": exif, "icc_profile": profile}),
        "png-1": (rgb.convert("1"), {}),
        "png-gray": (rgb.convert("L"), {"transparency": 9}),
        "png-gray-alpha": (rgba.convert("LA"), {}),
        "png-palette": (palette, {"transparency": bytes(range(0, 240, 4))}),
        "png-rgba": (rgba, {}),
        "png-16": (gray16, {}),
        "png-animated": (rgb, several),
        "gif": (palette, {"transparency": 3}),
        "gif-interlaced": (rgb.convert("L"), {"interlace": True}),
        "gif-animated": (rgb, several),
        "bmp": (rgb, {}),
        "bmp-1": (rgb.convert("1"), {}),
        "bmp-palette": (palette, {}),
        "bmp-rgba": (rgba, {}),
        "tif": (rgb, {"exif": exif}),
        "tif-gray16": (gray16, {"compression": "tiff_adobe_deflate"}),
        "tif-lzw": (rgb, {"compression": "tiff_lzw"}),
        "tif-packbits": (rgba, {"compression": "packbits"}),
        "tif-jpeg": (rgb, {"compression": "jpeg"}),
        "tif-fax": (rgb.convert("1"), {"compression": "group4"}),
        "tif-palette": (palette, {}),
        "tif-pages": (rgb, {"save_all": True, "append_images": frames}),
        "tif-big": (rgb, {"big_tiff": True}),
        "webp": (rgb, {"quality": 80}),
        "webp-lossless": (rgba, {"lossless": True, "exif": exif, "icc_profile": profile}),
        "webp-alpha": (rgba, {"quality": 50}),
        "webp-animated": (rgb, several),
        "ppm": (rgb, {}),
        "pgm": (rgb.convert("L"), {}),
        "pbm": (rgb.convert("1"), {}),
        "ico": (rgba, {}),
    }
    if features.check("avif"):
        more |= {"avif": (rgb, {"exif": exif}), "avif-alpha": (rgba, {"quality": 60})}
        more |= {"avif-animated": (rgb, several)}
    made = {name: _encoded(name, image, how) for name, (image, how) in more.items()}
    return made | {
        "png-interlaced": formats.interlaced_png(),
        "bmp-run-length": formats.run_length_bmp(9),
    }


def _encoded(name: str, image: Image.Image, how: dict[str, Any]) -> bytes:
    kinds = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM", "pbm": "PPM"}
    suffix = name.partition("-")[0]
    file = io.BytesIO()
    options = {"format": kinds.get(suffix, suffix.upper())} | how
    # Saving leaves settings behind in an image, which another format would take for its own.
    options["append_images"] = [frame.copy() for frame in how.get("append_images", ())]
    image.copy().save(file, **options)
    return file.getvalue()


def case(ground: Ground, name: str, data: bytes, *, checked: bool = True) -> Case:
    """A hostile image among sound ones.

    Args:
        ground: where.
        name: its beginning up to a hyphen is the file's suffix.
        data: the file.
        checked: whether to check a folder that holds it, in addition to classifying it.
    """
    hostile = ground.folder / f"hostile.{name.partition('-')[0]}"
    hostile.write_bytes(data)
    sound, run = ground.fixture / "sound.png", ground.fixture / "run"
    commands: list[list[str | Path]] = [["predict", run, hostile, sound, "--json"]]
    if checked:
        photos = ground.folder / "photos"
        for source in (ground.fixture / "photos").rglob("*.png"):
            (photos / source.parent.name).mkdir(parents=True, exist_ok=True)
            (photos / source.parent.name / source.name).hardlink_to(source)
        hostile.rename(photos / next(iter(CLASSES)) / hostile.name)
        commands[0][2] = photos / next(iter(CLASSES)) / hostile.name
        commands.append(["check", photos, "--no-estimate", "--json"])
    return Case(commands, functools.partial(_check, str(commands[0][2]), str(sound)))


def _check(hostile: str, sound: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if not isinstance(outcome.values, dict) or "error" in outcome.values:
            yield f"'{outcome.words[0]}' gave sound images no answer: {outcome.out[:200]!r}"
            return
    predictions = outcomes[0].values["predictions"]
    paths = [prediction["path"] for prediction in predictions]
    if paths not in ([hostile, sound], [sound]):
        yield f"'predict' answered for {paths}"
    elif predictions[-1]["top"][0]["class"] != next(iter(CLASSES)):
        yield "a hostile image changed the answer for a sound one"
    elif hostile not in paths and Path(hostile).name not in outcomes[0].err:
        yield f"'predict' left it out without a word: {outcomes[0].err!r}"


def _mutated(ground: Ground, dice: random.Random) -> Case:
    known = samples()
    name = dice.choice(sorted(known))
    data = mutate(known[name], dice, list(known.values()))
    return case(ground, name, data, checked=dice.random() < _CHECKED_TOO)


def _crafted(name: str, make: Callable[[], bytes]) -> Callable[[Ground], Case]:
    return lambda ground: case(ground, name, make())


KIND = Kind({name: _crafted(name, make) for name, make in bombs.BOMBS.items()}, _mutated)
