"""What is made small in training, and how an answer is read from what a module puts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss, and the evidence behind an answer.

    Parameters
    ----------
    name
        For the tables.
    loss
        Output and (n,) class of each pair (of two: 1 = same) -> (n,).
    evidence
        Output -> (n,): of two classes, above 0 the answer is "same"; of more, how far the answer
        is ahead of the next.
    guess
        Output -> (n,): the class that is answered.
    words
        What `evidence` is, for the sidecar.
    """

    name: str
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    evidence: Callable[[torch.Tensor], torch.Tensor]
    guess: Callable[[torch.Tensor], torch.Tensor]
    words: str


def cross_entropy(*, is_same: bool = True) -> Objective:
    """Return the objective of a logit for each class.

    Parameters
    ----------
    is_same
        The classes are different, and same; otherwise any number of categories.

    Examples
    --------
    >>> one = cross_entropy()
    >>> logits = torch.tensor([[0.0, 0.0]])
    >>> round(float(one.loss(logits, torch.tensor([True]))), 4), float(one.evidence(logits))
    (0.6931, 0.0)
    """

    def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, truth.long(), reduction="none")

    def evidence(logits: torch.Tensor) -> torch.Tensor:
        if is_same:
            return logits[:, 1] - logits[:, 0]
        best = logits.topk(2, dim=1).values
        return best[:, 0] - best[:, 1]

    def guess(logits: torch.Tensor) -> torch.Tensor:
        return (evidence(logits) > 0).long() if is_same else logits.argmax(dim=1)

    words = "Logit of same less that of different; above 0 the answer is same."
    if not is_same:
        words = "Logit of the answer less the next highest."
    return Objective("cross-entropy", loss, evidence, guess, words)


def contrastive(margin: float = MARGIN) -> Objective:
    """Return the objective of a distance: small for the same, beyond `margin` for others.

    Parameters
    ----------
    margin : float
        Distance from which on a pair that differs costs nothing. Half of it is where both labels
        cost the same, and so where the answer changes.

    References
    ----------
    Hadsell, Chopra & LeCun (2006), CVPR 2:1735, doi:10.1109/CVPR.2006.100; equation 4.

    Examples
    --------
    >>> one = contrastive(2.0)
    >>> distance, is_same = torch.tensor([1.0, 1.0, 3.0]), torch.tensor([True, False, False])
    >>> one.loss(distance, is_same).tolist(), one.evidence(distance).tolist()
    ([0.5, 0.5, 0.0], [0.0, 0.0, -2.0])
    """

    def loss(distance: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        apart = (margin - distance).clamp(min=0)
        return 0.5 * torch.where(truth > 0, distance, apart).square()

    def evidence(distance: torch.Tensor) -> torch.Tensor:
        return margin / 2 - distance

    def guess(distance: torch.Tensor) -> torch.Tensor:
        return (evidence(distance) > 0).long()

    words = f"{margin / 2:g} less the distance of the two; above 0 the answer is same."
    return Objective("contrastive", loss, evidence, guess, words)
