"""Names that can be taken for one another: found among very many without comparing each pair.

Two names are alike when they are the same but for case, hyphens, underscores and digits that look
like letters; or, case and the kind of hyphen aside, when one letter from a to z in a longer word is
put in, left out or another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

_Numbers = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.int64]
_DIGITS = (("0", "o"), ("1", "l"), ("5", "s"))
_LETTERS = re.compile(r"[a-z]*")
# Any odd numbers do: what hashes alike is looked at once more.
_BASE = 0x9E3779B97F4A7C15
_BY_OWNER, _BY_LENGTH, _BY_PLACE = 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93


def pairs(owners: _Rows, names: pa.Array, letters: int) -> Iterator[tuple[int, int]]:
    """Yield rows whose names, in one project, are alike; each that has kin in one pair at least.

    Names that differ in a number are a series, and not alike; a name that is there twice is not
    alike to itself.

    Args:
        owners: A number for the project of each row.
        names: The names, an Arrow array of texts without missing ones.
        letters: How long a word, of letters alone, is at least in which one letter counts as a
            slip: of codes such as "uk" and "us" each letter tells.
    """
    keys = _keys(owners, names)
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == len(keys):
        yield from sorted(_pairs(owners, names, letters))
        return
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for row, name in enumerate(which.tolist()):
        rows[name].append(row)
    found = set()
    for left, right in _pairs(owners[first], names.take(pa.array(first)), letters):
        for one, other in ((left, right), (right, left)):
            kin = int(first[other])
            found |= {(min(row, kin), max(row, kin)) for row in rows[one]}
    yield from sorted(found)


def _pairs(owners: _Rows, names: pa.Array, letters: int) -> set[tuple[int, int]]:
    """Return what `pairs` yields, of names of which each is there once."""
    lowered = compute.utf8_lower(names)
    bare = compute.replace_substring_regex(lowered, "[-_]+", "")
    for digit, letter in _DIGITS:
        bare = compute.replace_substring(bare, digit, letter)
    found = set(_same(owners, bare))
    spelled = compute.replace_substring(lowered, "_", "-")
    return found | {pair for pair in _near(owners, spelled) if _is_slip(spelled, pair, letters)}


def _keys(owners: _Rows, texts: pa.Array) -> _Rows:
    """Return numbers that are the same where text and project are."""
    codes: _Rows = np.asarray(texts.dictionary_encode().indices, dtype=np.int64)
    return codes * int(owners.max(initial=0) + 1) + owners


def _same(owners: _Rows, texts: pa.Array) -> Iterator[tuple[int, int]]:
    yield from _neighbours(_keys(owners, texts), np.arange(len(owners)))


def _near(owners: _Rows, spelled: pa.Array) -> Iterator[tuple[int, int]]:
    """Yield pairs that may differ in one letter; none that does is left out.

    A name with one letter struck out has a number, made of its bytes and their places. Two names of
    one length differ in one place when they have the same number for it; of two lengths, when the
    longer one without a letter has the shorter one's number.
    """
    sizes = np.asarray(compute.binary_length(spelled), dtype=np.int64)
    rows = np.flatnonzero(sizes)
    texts, sizes = spelled.filter(pa.array(sizes > 0)), sizes[rows]
    if not len(rows):
        return
    flat = "".join(texts.to_pylist()).encode()
    chars = np.frombuffer(flat, dtype=np.uint8)
    starts = np.cumsum(sizes) - sizes
    name = np.repeat(np.arange(len(rows)), sizes)
    place = np.arange(len(chars)) - starts[name]
    powers = np.full(int(sizes.max()), _BASE, dtype=np.uint64)
    powers[0] = 1
    powers = np.cumprod(powers)
    terms = (chars.astype(np.uint64) + np.uint64(1)) * powers[place]
    upto = np.cumsum(terms)
    before = np.concatenate([np.zeros(1, np.uint64), upto])[starts]
    whole = np.add.reduceat(terms, starts)
    ahead = upto - terms - before[name]
    # What stands behind moves one place up: a division, for which an odd number has an inverse.
    struck = ahead + (whole[name] - ahead - terms) * np.uint64(pow(_BASE, -1, 2**64))
    kin = owners[rows].astype(np.uint64) * np.uint64(_BY_OWNER)
    kin_by_size = kin + sizes.astype(np.uint64) * np.uint64(_BY_LENGTH)
    letter = (chars >= ord("a")) & (chars <= ord("z"))
    struck, name, place = struck[letter], name[letter], place[letter]
    # Another letter.
    keys = (
        struck + kin_by_size[name] + (place.astype(np.uint64) + np.uint64(1)) * np.uint64(_BY_PLACE)
    )
    often = _repeated(keys)
    yield from _neighbours(keys[often], rows[name[often]])
    # A letter more.
    longer = struck + kin_by_size[name] - np.uint64(_BY_LENGTH)
    full = whole + kin_by_size
    shorter = compute.index_in(pa.array(longer), value_set=pa.array(full))
    for at in np.flatnonzero(np.asarray(compute.is_valid(shorter), dtype=np.bool_)):
        left, right = int(rows[name[at]]), int(rows[shorter[int(at)].as_py()])
        yield min(left, right), max(left, right)


def _repeated(keys: _Numbers) -> npt.NDArray[np.bool_]:
    """Return which of the numbers are there more than once."""
    ordered = np.sort(keys)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.asarray(compute.is_in(pa.array(keys), value_set=pa.array(twice)), dtype=np.bool_)


def _neighbours(keys: npt.NDArray[Any], rows: _Rows) -> Iterator[tuple[int, int]]:
    """Yield rows of the same key, each with the next."""
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    for at in np.flatnonzero(keys[1:] == keys[:-1]):
        left, right = int(rows[at]), int(rows[at + 1])
        yield min(left, right), max(left, right)


def _is_slip(spelled: pa.Array, pair: tuple[int, int], letters: int) -> bool:
    """Whether two names differ in one letter of a word that is long enough."""
    left, right = (spelled[row].as_py() for row in pair)
    if left == right:
        return False
    if len(left) > len(right):
        left, right = right, left
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(left))
    if left[at + (len(left) == len(right)) :] != right[at + 1 :]:
        return False
    return all(len(_word_at(text, at)) >= letters for text in (left, right))


def _word_at(text: str, at: int) -> str:
    """Return the letters around a place, the one there included."""
    head = _LETTERS.match(text[:at][::-1])
    tail = _LETTERS.match(text, at)
    return (head[0] if head else "") + (tail[0] if tail else "")
