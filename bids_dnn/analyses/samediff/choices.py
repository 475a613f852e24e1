"""What may be chosen of same/different transfer, and the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bids_dnn.analyses.samediff.augment import parse_copies
from bids_dnn.analyses.samediff.pairs import ANSWERS, Answer
from bids_dnn.errors import ConfigError, nearest

Variant = Literal["frozen", "siamese", "contrastive"]
VARIANTS: dict[str, str] = {
    "frozen": "both on one canvas; the network is frozen, and a new last layer is learnt",
    "siamese": "two streams: one for both crops, and a foveal one that it feeds back to",
    "contrastive": "one stream for both crops, which learns a distance",
}
FOVEAL: dict[str, str] = {
    "none": "no foveal stream",
    "grey": "a grey picture",
    "noise": "salt-and-pepper noise on grey, another one for each pair",
    "same-category": "another exemplar of the pair's category and part of the split",
    "other-category": "an exemplar of another category and the same part of the split",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """How same/different is learnt and tested.

    Parameters
    ----------
    variants
        Keys of `VARIANTS`.
    augment
        See `augment.parse_copies`; of training pairs only.
    redraws
        Whether noise is drawn anew in each epoch.
    n_epochs : int
    batch_size : int
        0 = searched by the loss on validation.
    rate : float
        Highest of the cycle; 0 = found by a range test.
    weight_decay : float
        Of AdamW.
    trains_trunk
        Whether siamese and contrastive learn the network itself, and not only what is new.
    layer
        For siamese and contrastive a map over space from which they start; "" = the last one.
        For frozen, the layer whose output is read; "" = what goes into the last linear layer.
    foveal
        Key of `FOVEAL`, for siamese.
    margin : float
        For contrastive.
    n_top : int
        Pairs of greatest loss that are listed.
    seed : int
    device
        Of torch.
    answer
        ``same`` = whether both are one exemplar; ``category`` = of what category both are.

    Raises
    ------
    ConfigError
        If a name does not exist, or a number is out of range; or the category is to be answered
        by a distance, or is shown to the fovea.
    """

    variants: tuple[str, ...] = ("frozen",)
    augment: tuple[str, ...] = ()
    redraws: bool = False
    n_epochs: int = 100
    batch_size: int = 8
    rate: float = 0.0
    weight_decay: float = 1e-2
    trains_trunk: bool = True
    layer: str = ""
    foveal: str = "grey"
    margin: float = 2.0
    n_top: int = 15
    seed: int = 0
    device: str = "cpu"
    answer: Answer = "same"

    def __post_init__(self) -> None:
        for one in self.variants:
            if one not in VARIANTS:
                raise ConfigError(f"There is no variant {one!r}.", mend=nearest(one, VARIANTS))
        if not self.variants:
            raise ConfigError("No variant is asked for.", mend=nearest("", VARIANTS))
        if self.foveal not in FOVEAL:
            raise ConfigError(
                f"There is no foveal picture {self.foveal!r}.", mend=nearest(self.foveal, FOVEAL)
            )
        self._check_answer()
        parse_copies(self.augment)
        lowest = {"n_epochs": 1, "batch_size": 0, "rate": 0, "weight_decay": 0, "n_top": 0}
        for name, low in lowest.items():
            value = getattr(self, name)
            if not low <= value < float("inf"):
                raise ConfigError(
                    f"{name} is {value!r}; {low} at least was expected.",
                    mend=f"Type a number from {low} on.",
                )
        if not 0 < self.margin < float("inf"):
            raise ConfigError(
                f"margin is {self.margin!r}; a number above 0 was expected.", mend="Type 2."
            )

    def _check_answer(self) -> None:
        if self.answer not in ANSWERS:
            raise ConfigError(
                f"There is no answer {self.answer!r}.", mend=nearest(self.answer, ANSWERS)
            )
        if self.answer == "same":
            return
        if "contrastive" in self.variants:
            raise ConfigError(
                "The category is to be answered, but contrastive learns a distance of two.",
                mend="Take --variant frozen or siamese, or --answer same.",
            )
        if "siamese" in self.variants and self.foveal.endswith("-category"):
            raise ConfigError(
                f"The category is to be answered, and the fovea is shown {FOVEAL[self.foveal]}, "
                "which tells it.",
                mend="Take --foveal grey, noise or none.",
            )
