"""Texts to what text towers take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, eq=False)
class Tokenizer:
    """Turn texts into tokens, all of one length, longer texts cut at the end.

    Parameters
    ----------
    encode
        Texts to the keyword arguments of the text method, (n, length) each.
    count
        How many tokens a text has before it is cut, with those that mark its beginning and end.
    n_most : int
        Tokens that the tower takes.
    """

    encode: Callable[[Sequence[str]], Mapping[str, torch.Tensor]]
    count: Callable[[str], int]
    n_most: int

    def __call__(self, texts: Sequence[str]) -> Mapping[str, torch.Tensor]:
        """Return what the text method takes, a row for each of `texts`."""
        return self.encode(texts)

    def too_long(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts whose end the tower does not see."""
        return tuple(text for text in texts if self.count(text) > self.n_most)
