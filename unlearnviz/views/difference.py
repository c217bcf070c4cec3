"""Difference: a text in pieces, those marked that another text has not."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from rapidfuzz.distance import Levenshtein

COMPARED = 2_000  # characters of a text at most: opcodes take time and memory as the product of both lengths
LONG = 400  # characters from which on what is equal is shortened
AROUND = 60  # equal characters that stay beside a difference then
SHORT = 3  # fewer equal characters than this between two differences are no relief: they read as one
JOINER = "\N{ZERO WIDTH JOINER}"

Piece = tuple[str, str]  # (text, mark): mark "" is equal, "new" is not in the other text, "gone" is in the other text only
Change = tuple[bool, Sequence[str], Sequence[str]]  # (equal, characters of the other text, characters of this one)


def pieces(text: str, other: str, normalisation: Callable[[str], str]) -> list[Piece]:
    """`text` in pieces, as it differs from `other`: the fewest characters inserted, deleted and replaced (Levenshtein).

    Put together, the pieces that are not "gone" are the text, save that in a long one what is equal is shortened to "…".

    Args:
        normalisation: what of a character counts; those that are the same after it are equal.
    """
    before, after = _characters(other[:COMPARED]), _characters(text[:COMPARED])
    key = _cached(normalisation)
    codes = Levenshtein.opcodes([key(each) for each in before], [key(each) for each in after])
    found: list[Change] = []
    for k, code in enumerate(codes):
        left, right = before[code.src_start : code.src_end], after[code.dest_start : code.dest_end]
        between = 0 < k < len(codes) - 1
        equal = code.tag == "equal" and not (between and len(right) < SHORT)
        if found and not equal and not found[-1][0]:
            found[-1] = (False, [*found[-1][1], *left], [*found[-1][2], *right])
        else:
            found.append((equal, left, right))
    told = [_piece(change) for change in found]
    if len(after) > LONG:
        told = [_shortened(piece, first=k == 0, last=k == len(told) - 1) for k, piece in enumerate(told)]
    if len(text) > COMPARED:
        told.append((f"… ({len(text):,} characters in all)", ""))
    return [piece for piece in told if piece[0]]


def _piece(change: Change) -> Piece:
    equal, before, after = change
    if equal:
        return "".join(after), ""
    return ("".join(after), "new") if after else ("".join(before), "gone")


def _shortened(piece: Piece, *, first: bool, last: bool) -> Piece:
    text, mark = piece
    if mark:
        return (f"{text[:LONG]}…", mark) if len(text) > LONG else piece
    head, tail = "" if first else text[:AROUND], "" if last else text[-AROUND:]
    return piece if len(text) <= len(head) + len(tail) + AROUND else (f"{head}…{tail}", "")


def _characters(text: str) -> Sequence[str]:
    """What a reader takes for one character: a letter with its marks, an emoji with what is joined to it."""
    if text.isascii():
        return list(text)
    found: list[str] = []
    for each in text:
        if found and (unicodedata.category(each) in ("Mn", "Me", "Mc") or each == JOINER or found[-1].endswith(JOINER)):
            found[-1] += each
        else:
            found.append(each)
    return found


@lru_cache(maxsize=16)
def _cached(normalisation: Callable[[str], str]) -> Callable[[str], str]:
    return lru_cache(maxsize=4096)(normalisation)
