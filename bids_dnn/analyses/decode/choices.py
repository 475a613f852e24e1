"""What can be chosen of decoding, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from bids_dnn.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings of [decode], by name.

    Parameters
    ----------
    comparisons
        See `comparisons.parse`.
    c : above 0
        Cost of the support vector machine; for voxels of unit variance on average where the
        responses are ``beta`` or ``psc``, as it is otherwise.
    n_permutations : int, at least 1
    seed
        The same seed gives the same table; a comparison's numbers do not depend on which others
        are asked for, but for `p_corrected`.
    nuisance
        Numeric columns of the sample table, regressed out of the responses within each fold.

    Raises
    ------
    ConfigError
        If `c` or `n_permutations` is not above zero.
    """

    comparisons: tuple[str, ...]
    c: float
    n_permutations: int
    seed: int
    nuisance: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.c <= 0 or self.n_permutations < 1:
            raise ConfigError(
                f"c is {self.c} and n_permutations is {self.n_permutations}; both must be above "
                "zero.",
                mend="Set decode.c and decode.permutations in analysis.toml.",
            )
