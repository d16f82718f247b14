"""A sliding window as a moving picture."""

import io
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from convlens.core.canvas import Image, frame
from convlens.core.errors import ConvlensError
from convlens.core.files import write_bytes
from convlens.core.reporter import Reporter
from convlens.inspection.pictures.sliding import SlidingPicture

_SECONDS = 12.0
_SLOWEST, _FASTEST = 0.7, 0.08
_LAST_STAYS = 1.5


def save_animation(
    picture: SlidingPicture, path: Path, reporter: Reporter, *, most: int = 48
) -> tuple[int, int]:
    """Slide the window over the image, row by row, into an animated GIF or WebP.

    Args:
        picture: what to animate; left at the last stop.
        path: ends in ``.gif`` or ``.webp``.
        reporter: told how far it is.
        most: frames; of more stops than that, so many are shown, evenly spread.

    Returns:
        How many stops are shown, and how many there are.

    Raises:
        ConvlensError: the name ends otherwise, or the folder cannot be written to.
        WorkFailedError: the disk is full.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in {"gif", "webp"}:
        raise ConvlensError(
            f"the animation is to be {path.name}; expected a name that ends in .gif or .webp",
            code="bad-animation",
        )
    rows, columns = picture.sliding.output_shape
    stops = np.unique(np.linspace(0, rows * columns - 1, min(most, rows * columns)).round())
    frames = []
    with reporter.task(f"Drawing {path.name}", len(stops)) as task:
        for number, stop in enumerate(stops.astype(int), 1):
            picture.show(int(stop) // columns, int(stop) % columns, so_far=True)
            frames.append(frame(picture.figure))
            task.update(number)
    write_bytes(path, _encode(frames, form))
    return len(stops), rows * columns


def _encode(frames: list[Image], form: str) -> bytes:
    each = float(np.clip(_SECONDS / len(frames), _FASTEST, _SLOWEST))
    seconds = [each] * (len(frames) - 1) + [_LAST_STAYS]
    if form == "gif":
        palette = _palette(frames)
        images = [_indexed(one, palette) for one in frames]
    else:
        images = [PillowImage.fromarray(one) for one in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format=form,
        save_all=True,
        append_images=images[1:],
        duration=[round(1000 * second) for second in seconds],
        loop=0,
    )
    return buffer.getvalue()


def _palette(frames: list[Image]) -> Image:
    """256×3 colors, white among them, for all frames: what stands still does not flicker."""
    some = [frames[i] for i in np.linspace(0, len(frames) - 1, min(5, len(frames))).astype(int)]
    together = PillowImage.fromarray(np.concatenate(some))
    found = together.quantize(255, method=PillowImage.Quantize.MAXCOVERAGE).getpalette() or []
    colors = np.full((256, 3), 255, np.uint8)
    colors.reshape(-1)[: min(len(found), 765)] = found[:765]
    return colors


def _indexed(picture: Image, palette: Image) -> PillowImage.Image:
    """The picture in the palette's nearest colors; Pillow's own search would miss some."""
    codes, where = np.unique(picture @ (65536, 256, 1), return_inverse=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.float32)
    known = palette.astype(np.float32)
    nearest = ((known**2).sum(1) - 2 * colors @ known.T).argmin(1).astype(np.uint8)
    indexed = PillowImage.fromarray(nearest[where].reshape(picture.shape[:2]), mode="P")
    indexed.putpalette(palette.tobytes())
    return indexed
