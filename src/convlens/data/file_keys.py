"""Keys of files in a cache: they differ when a file may differ, and never leave this machine.

A key is made of what the file system says of a file, so making one reads no content. It is no
identity of data: a copy has another key. For that see `convlens.data.content`.
"""

import hashlib
import os
from collections.abc import Sequence

KEY_BYTES = 16


def file_key(path: str) -> bytes:
    """What tells one version of a file from another; b"" if it is not there.

    It covers path, size, time of last write, time of last status change and inode. A program can
    set a file's time of write but not its time of status change, and a file that is renamed over
    another has another inode: so a replaced file of the same size and time has another key.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a file a time: pathlib takes several times as long
    except (OSError, ValueError):
        return b""
    name = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - likewise
    version = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    return digest_of(b"%b\0%d\0%d\0%d\0%d" % (name, *version))


def file_keys(paths: Sequence[str]) -> list[bytes]:
    """The key of each file, b"" for one that is not there: see `file_key`."""
    return [file_key(path) for path in paths]


def key_of_all(keys: Sequence[bytes]) -> str:
    """One key for many, in order, 32 hexadecimal digits: a missing file counts with its place.

    Raises:
        ValueError: a key has neither 16 bytes nor none.
    """
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    for key in keys:
        if len(key) not in {0, KEY_BYTES}:
            raise ValueError(f"a key of {len(key)} bytes")
        digest.update(key or bytes(KEY_BYTES))
    return digest.hexdigest()


def digest_of(content: bytes) -> bytes:
    """16 bytes that tell one content from another."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
