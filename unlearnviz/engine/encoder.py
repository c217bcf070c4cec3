"""TextEncoder: from text to token ids and back, with the place of every token in its text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from unlearnviz.errors import BadModel

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage


@dataclass(frozen=True)
class Encoded:
    """A whole text as tokens.

    Attributes:
        ids: token ids; a mark that the tokenizer sets before every text is among them, one after it is not.
        ends: for each token, the place in the text after its last character.
    """

    ids: tuple[int, ...]
    ends: tuple[int, ...]


class TextEncoder:
    """A tokenizer as a language model reads with it: at most `context` tokens of a text.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, or a Hugging Face tokenizer that is built on one; never changed.
        context: longest text in tokens.

    Raises:
        BadModel: another kind of tokenizer.
    """

    def __init__(self, tokenizer: Any, context: int) -> None:
        self.tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(self.tokenizer, "encode_batch"):
            raise BadModel(
                f"{type(tokenizer).__name__} is not built on the tokenizers library; unlearnviz needs a fast tokenizer (tokenizer.json)."
            )
        if self.tokenizer.padding is not None or self.tokenizer.truncation is not None:  # these would change texts unasked
            self.tokenizer = type(self.tokenizer).from_str(self.tokenizer.to_str())
            self.tokenizer.no_padding()
            self.tokenizer.no_truncation()
        self.context = context
        self.whole = lru_cache(maxsize=100_000)(self._whole)

    @property
    def vocabulary(self) -> int:
        """Number of ids that the tokenizer may give: its largest id + 1."""
        return 1 + max(self.tokenizer.get_vocab().values(), default=-1)

    def _whole(self, text: str) -> Encoded:
        encoding = self.tokenizer.encode(text)
        kept = len(encoding.ids)
        while kept > 1 and encoding.special_tokens_mask[kept - 1]:
            kept -= 1  # an end mark would tell the model that a prompt is complete
        return Encoded(tuple(encoding.ids[:kept]), tuple(end for _, end in encoding.offsets[:kept]))

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, cut after `context` tokens."""
        return self.whole(text).ids[: self.context]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def pieces(self, text: str) -> list[str]:
        """The text as pieces, one for each token of `encode(text)`.

        A character of several tokens belongs to the first of them, the others have "". Joined, the pieces give the text, up
        to the cut.
        """
        whole = self.whole(text)
        starts, place = [0], 0
        for end in whole.ends:
            place = max(place, end)
            starts.append(place)
        if len(whole.ids) <= self.context:
            starts[-1] = len(text)
        return [text[start:end] for start, end in itertools.pairwise(starts[: self.context + 1])]

    def cut_note(self, text: str) -> str | None:
        """A sentence when a text is longer than the context, else None."""
        total = len(self.whole(text).ids)
        if total <= self.context:
            return None
        return f"This text has {total} tokens and the model reads {self.context}: it is cut after token {self.context}."

    def answer_tokens(self, passage: Passage) -> int:
        """Position of the token in which the fact of a passage begins; the token count where no fact is marked or none is left."""
        ends = self.whole(passage.text).ends[: self.context]
        begin = passage.answer_start
        if begin is None:
            return len(ends)
        return next((k for k, end in enumerate(ends) if end > begin and k > 0), len(ends))
