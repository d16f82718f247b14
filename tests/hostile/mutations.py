"""Small damage to bytes, drawn from a random generator: the same seed does the same damage."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

_EDGES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
PNG_START = b"\x89PNG\r\n\x1a\n"

Mutation = Callable[[bytearray, random.Random], bytes | bytearray]


def mutate(data: bytes, dice: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Damage a file once to four times.

    Args:
        data: a sound file.
        dice: decides all.
        others: files to splice parts of into it.
    """
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        if others and dice.random() < 0.08:
            data = splice(data, dice.choice(others), dice)
        elif data.startswith(PNG_START) and dice.random() < 0.6:
            data = mutate_png(data, dice)
        elif data.startswith((b"\xff\xd8", b"RIFF")) and dice.random() < 0.5:
            data = mutate_blocks(data, dice)
        else:
            data = bytes(dice.choice(_MUTATIONS)(bytearray(data), dice))
    return data


def flip_bits(data: bytearray, dice: random.Random) -> bytearray:
    """Flip one to sixteen bits."""
    for _ in range(dice.randint(1, 16) if data else 0):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def truncate(data: bytearray, dice: random.Random) -> bytearray:
    """Keep only a beginning."""
    return data[: dice.randrange(len(data) + 1)]


def edit_integer(data: bytearray, dice: random.Random) -> bytearray:
    """Write an extreme number somewhere, most often where a header is."""
    width = dice.choice((1, 2, 4))
    end = len(data) if dice.random() < 0.5 else min(len(data), 96)
    if end > width:
        number = dice.choice(_EDGES) & ((1 << 8 * width) - 1)
        at = dice.randrange(end - width)
        data[at : at + width] = number.to_bytes(width, dice.choice(("little", "big")))
    return data


def repeat_range(data: bytearray, dice: random.Random) -> bytearray:
    """Put a part in a second time, or very often."""
    start, end = _range(data, dice)
    times = dice.choice((1, 1, 2, 50))
    return data[:end] + data[start:end] * times + data[end:]


def remove_range(data: bytearray, dice: random.Random) -> bytearray:
    """Leave a part out."""
    start, end = _range(data, dice)
    return data[:start] + data[end:]


def fill_range(data: bytearray, dice: random.Random) -> bytearray:
    """Overwrite a part with one byte, or with noise."""
    start, end = _range(data, dice)
    size = end - start
    data[start:end] = dice.randbytes(size) if dice.random() < 0.5 else dice.randbytes(1) * size
    return data


_MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits,
    truncate,
    edit_integer,
    edit_integer,
    edit_integer,
    repeat_range,
    remove_range,
    fill_range,
)


def splice(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def mutate_png(data: bytes, dice: random.Random) -> bytes:
    """Damage one chunk of a PNG and give it a right checksum, or move whole chunks about."""
    chunks = _png_chunks(data)
    if not chunks:
        return data
    at = dice.randrange(len(chunks))
    kind, content = chunks[at]
    how = dice.random()
    if how < 0.6:
        chunks[at] = kind, bytes(dice.choice(_MUTATIONS)(bytearray(content), dice))
    elif how < 0.75:
        chunks[at:at] = [(kind, content)] * dice.choice((1, 2, 100))
    elif how < 0.9:
        del chunks[at]
    else:
        dice.shuffle(chunks)
    return PNG_START + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and its checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], len(PNG_START)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def mutate_blocks(data: bytes, dice: random.Random) -> bytes:
    """Repeat, leave out or damage one segment of a JPEG, or one chunk of a WebP."""
    blocks = _jpeg_segments(data) if data.startswith(b"\xff\xd8") else _riff_chunks(data)
    at = dice.randrange(len(blocks))
    how = dice.random()
    if how < 0.25:
        blocks[at:at] = [blocks[at]] * dice.choice((1, 2, 200))
    elif how < 0.4:
        del blocks[at]
    elif how < 0.5:
        dice.shuffle(blocks)
    else:
        blocks[at] = bytes(dice.choice(_MUTATIONS)(bytearray(blocks[at]), dice))
    return b"".join(blocks)


def _jpeg_segments(data: bytes) -> list[bytes]:
    """Each from its marker to the next; what is coded belongs to the scan's header before it."""
    segments, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            while end + 1 < len(data) and not (
                data[end] == 0xFF and data[end + 1] not in {0, *range(0xD0, 0xD8)}
            ):
                end += 1
        segments.append(data[at:end])
        at = end
    return [*segments, data[at:]]


def _riff_chunks(data: bytes) -> list[bytes]:
    chunks, at = [data[:12]], 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        chunks.append(data[at:end])
        at = end
    return chunks


def _range(data: bytearray, dice: random.Random) -> tuple[int, int]:
    start = dice.randrange(len(data) + 1)
    longest = dice.choice((4, 16, 64, 1024))
    return start, min(len(data), start + dice.randint(0, longest))
