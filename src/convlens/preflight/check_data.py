"""Everything there is to find about the images of a source."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.data import ImageSet, same_files
from convlens.preflight import duplicates, file_findings, labels, pictures, split_findings
from convlens.preflight.context import Material, representatives, sides
from convlens.preflight.finding import Finding, sort_by_severity
from convlens.preflight.image_facts import ImageFacts, look_at
from convlens.preflight.near_duplicates import near_duplicates
from convlens.recipe import Recipe

_FINDINGS: tuple[Callable[[Material], Finding | None], ...] = (
    pictures.pixels_not_scaled,
    labels.two_labels,
    duplicates.copies_across_splits,
    duplicates.near_duplicates_across_splits,
    split_findings.group_straddles,
    pictures.unreadable,
    labels.similar_two_labels,
    duplicates.copies,
    labels.labels_missing,
    split_findings.split_unused,
    labels.class_absent,
    labels.few_images,
    labels.few_from_scratch,
    labels.imbalance,
    labels.name_leakage,
    pictures.small_images,
    pictures.blank,
    pictures.dark,
    pictures.blurred,
    pictures.mixed_color,
    pictures.color_thrown_away,
    pictures.turned,
    file_findings.several_frames,
    file_findings.few_bits,
    split_findings.validation_small,
)


def look_for_faults(
    images: ImageSet,
    reporter: Reporter,
    *,
    recipe: Recipe | None = None,
    source: str = "SOURCE",
    keep: bool = True,
) -> Material:
    """Look at every image, once, and for copies and near duplicates.

    Args:
        images: labeled, each in a split.
        reporter: sees the progress.
        recipe: what they are to be trained on by; without one, nothing is said of what it decides.
        source: what the user calls the source, for the commands in remedies.
        keep: keep what was seen in the cache folder.
    """
    facts = look_at(
        images, reporter, keep=keep, value_bits=16 if recipe is None else recipe.input.value_bits
    )
    side = sides(images)
    first = representatives(_first_copies(images, facts, reporter), side)
    alone = np.where(first == np.arange(len(images)), side, -1).astype(np.int8)
    return Material(
        images=images,
        facts=facts,
        first_copy=first,
        alike=near_duplicates(facts, alone, images.labels, reporter),
        recipe=recipe,
        source=source,
    )


def check_data(data: Material) -> tuple[Finding, ...]:
    """The findings about images, gravest first.

    Args:
        data: what `look_for_faults` has seen.

    Example:
        >>> data = look_for_faults(images, Quiet())                 # doctest: +SKIP
        >>> [finding.code for finding in check_data(data)]          # doctest: +SKIP
        ['near-duplicates', 'validation-small']
    """
    return sort_by_severity(find(data) for find in _FINDINGS)


def _first_copies(images: ImageSet, facts: ImageFacts, reporter: Reporter) -> NDArray[np.int64]:
    """(N,) the number of the first image with the same content; of files, with the same bytes."""
    if images.arrays is not None:
        return _first_of(enumerate(images.arrays), len(images))
    first = _first_of(_thumbnails(facts), len(images))
    twins = np.flatnonzero(np.bincount(first, minlength=len(first))[first] > 1)
    exact = np.arange(len(images))
    if twins.size:  # no others can have the same bytes
        paths = images.paths or ()
        exact[twins] = twins[same_files([paths[n] for n in twins.tolist()], reporter)]
    return exact


def _first_of(pictures: Iterable[tuple[int, NDArray[np.uint8]]], n: int) -> NDArray[np.int64]:
    """(n,) the number of the first picture with the same pixels; its own where it is not given."""
    seen: dict[bytes, int] = {}
    first = np.arange(n)
    for number, pixels in pictures:
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        first[number] = seen.setdefault(digest, number)
    return first


def _thumbnails(facts: ImageFacts) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    thumbnails = facts.rows["thumbnail"]
    return ((n, thumbnails[n]) for n in np.flatnonzero(facts.readable).tolist())
