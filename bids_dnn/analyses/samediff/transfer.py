"""Transfer: a frozen network judges pairs on a canvas by a new last layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bids_dnn.analyses.samediff.augment import Copy
from bids_dnn.analyses.samediff.looking import Trunk, fed, head_of, n_weights, shape_of
from bids_dnn.analyses.samediff.material import Entries, Material
from bids_dnn.analyses.samediff.objectives import cross_entropy
from bids_dnn.analyses.samediff.pairs import Answer
from bids_dnn.analyses.samediff.training import Inputs, Problem, Training, reproducible
from bids_dnn.containers.network import Network
from bids_dnn.errors import UnreadableError

SHOWN = 32  # canvases at once
WATCHED = ("train", "validation")


class Standardized(torch.nn.Module):
    """A new last layer on features that are z-scored by their training mean and SD.

    Weights begin at 0: each pair then has the loss log 2, and as the problem is convex, a
    better start is not to be had. Features that do not vary in training are 0.

    Parameters
    ----------
    mean, sd : (n_features,)
        Of training pairs and their copies.
    n_classes : int
        Of answers.
    """

    def __init__(self, mean: torch.Tensor, sd: torch.Tensor, n_classes: int = 2) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("mean", mean)
        scale = torch.where(sd > 0, 1 / sd.clamp(min=torch.finfo(sd.dtype).tiny), 0)
        self.register_buffer("scale", scale)
        self.linear = torch.nn.Linear(len(mean), n_classes)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (n, n_classes), as of different and same, of features (n, n_features)."""
        made: torch.Tensor = self.linear((features - self.mean) * self.scale)
        return made


class Frozen:
    """What a frozen network makes of canvases, just before its last layer: made once.

    Parameters
    ----------
    material
    network
    copies
        Of each training pair; the first one is plain.
    options
    redraws
        Whether noise is drawn anew in each epoch, which needs the network each time.
    layer
        Whose output is taken; "" = what goes into the network's last linear layer, or what it
        puts out where it has none.
    """

    def __init__(
        self,
        material: Material,
        network: Network,
        copies: Sequence[Copy],
        options: Training,
        *,
        redraws: bool = False,
        layer: str = "",
    ) -> None:
        if layer:
            shape_of(network, layer)
        head = "" if layer else head_of(network)
        self.source = layer or (f"input of {head}" if head else "output")
        self._material, self._card, self._copies = material, network.card, tuple(copies)
        self._options, self._redraws = options, redraws
        trunk = Trunk(network, layer or head, takes_input=bool(head))
        self._trunk = trunk.to(options.device).eval()
        self.n_frozen = n_weights(network, layer or head, takes_input=bool(head))
        parts = [material.entries("train", len(copies))]
        parts += [material.entries(part) for part in ("validation", "test")]
        entries = np.concatenate(parts)
        self._place = np.full((len(material.pairs), len(copies)), -1)
        self._place[entries[:, 0], entries[:, 1]] = np.arange(len(entries))
        self.features = self._seen(entries, epoch=0)
        self.n_train = len(parts[0])

    def __call__(self, entries: Entries, *, epoch: int) -> Inputs:
        """Return the features (n, n_features) of pairs under some augmentation."""
        made = self.features[torch.as_tensor(self._place[entries[:, 0], entries[:, 1]])]
        if self._redraws and epoch > 0:
            drawn = np.array([self._copies[k].is_drawn for k in entries[:, 1]])
            if drawn.any():
                made[torch.as_tensor(drawn)] = self._seen(entries[drawn], epoch=epoch)
        return (made.to(self._options.device),)

    def _seen(self, entries: Entries, *, epoch: int) -> torch.Tensor:
        parts = []
        orientation = self._material.pairs["orientation"].tolist()
        with reproducible(0, self._options.device), torch.no_grad():
            for start in range(0, len(entries), SHOWN):
                canvases = []
                for row, which in entries[start : start + SHOWN].tolist():
                    crops = self._material.crops(
                        row, self._copies, which, seed=self._options.seed, epoch=epoch
                    )
                    canvases.append(self._material.draw(*crops, orientation[row]))
                inputs = fed(canvases, self._card, device=self._options.device)
                parts.append(self._trunk(inputs).flatten(1).float().cpu())
        made = torch.cat(parts)
        if not bool(torch.isfinite(made).all()):
            raise UnreadableError(
                f"{self._card.name} makes values that are no numbers of some pictures.",
                mend="Check its weights with bids_dnn_tools weights.",
            )
        return made

    def problem(self, answer: Answer = "same") -> Problem:
        """Return the training of a new last layer.

        Parameters
        ----------
        answer
            What it answers.
        """
        learnt = self.features[: self.n_train].double()
        mean, sd = learnt.mean(dim=0), learnt.std(dim=0, correction=0)
        sd = torch.where(sd > 1e-6 * learnt.abs().amax(dim=0), sd, 0)  # rounding is no spread
        material = self._material
        names, truth = material.classes(answer)
        n, device = len(names), self._options.device
        return Problem(
            make=lambda: Standardized(mean.float(), sd.float(), n).to(device),
            objective=cross_entropy(is_same=answer == "same"),
            supply=self,
            train=material.entries("train", len(self._copies)),
            watched=watched_of(material),
            truth=truth,
        )


def watched_of(material: Material) -> dict[str, Entries]:
    """Return the plain pairs whose loss is noted, of each part that has some."""
    parts = {part: material.entries(part) for part in WATCHED}
    return {part: entries for part, entries in parts.items() if len(entries)}
