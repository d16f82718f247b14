"""Made-up photographs: each distinct, with large shapes and detail; and what may befall them."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from convlens.core.reporter import Quiet
from convlens.data import ImageSet, open_source
from convlens.preflight import Finding, check_data, look_for_faults

CLASSES = ("daisy", "rose")


def scene(seed: int, size: tuple[int, int] = (72, 64)) -> Image.Image:
    """A sky, some shapes, some texture."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(random.integers(90, 220, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = random.integers(-10, size[0]), random.integers(-10, size[1])
        w, h = random.integers(6, size[0] // 2, 2)
        color = tuple(random.integers(0, 256, 3).tolist())
        kind = draw.ellipse if random.random() < 0.5 else draw.rectangle
        kind((int(x), int(y), int(x + w), int(y + h)), fill=color)
    texture = random.normal(0, 12, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(image) + texture, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, quality: int = 60) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def resized(image: Image.Image, share: float = 0.6) -> Image.Image:
    return image.resize((round(image.width * share), round(image.height * share)))


def cropped(image: Image.Image, share: float = 0.05) -> Image.Image:
    w, h = image.size
    return image.crop((round(w * share), 0, w, round(h * (1 - share))))


def brightened(image: Image.Image, factor: float = 1.12) -> Image.Image:
    return image.point(lambda level: min(255, round(level * factor)))


def blurry(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(4))


def source(
    folder: Path, *, train: int = 12, val: int = 6, test: int = 6, suffix: str = "png"
) -> Path:
    """Class folders of distinct scenes in three splits."""
    for which, (split, each) in enumerate({"train": train, "val": val, "test": test}.items()):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for i in range(each):
                seed = 10_000 * which + 1000 * label + i
                scene(seed).save(folder / split / name / f"{i:03}.{suffix}")
    return folder


def found_in(images: ImageSet | Path) -> dict[str, Finding]:
    """The findings about data, by their codes."""
    opened = images if isinstance(images, ImageSet) else open_source(images, reporter=Quiet())
    findings = check_data(look_for_faults(opened, Quiet()))
    assert len({finding.code for finding in findings}) == len(findings)
    return {finding.code: finding for finding in findings}
