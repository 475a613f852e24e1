"""Everything that the features of a layer depend on, known before they are made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import PIL
import torch

from bids_dnn import files
from bids_dnn.containers.network import Network
from bids_dnn.errors import ConfigError, MissingInputError, nearest
from bids_dnn.features.inputs import Options, Read, Shown
from bids_dnn.features.sources import code_of, settings_of

if TYPE_CHECKING:
    from bids_dnn.features.probe import Probed
    from bids_dnn.features.reduce import Reduction

# Raised by hand where the way from a picture's file to the numbers changes what comes out; a
# test keeps numbers of each part of that way, and fails where they change.
EXTRACTION = "3"
AT_A_TIME = 512  # texts that are tokenized together
FOUND = "found by itself"


def identity_of(
    network: Network,
    layer: Probed,
    inputs: Shown | Read,
    *,
    options: Options,
    reduction: Reduction | None = None,
    scale: Collection[str] = (),
) -> dict[str, str]:
    """Name everything that the features of one layer depend on.

    For many layers, `identities_of` hashes what they share once.

    Parameters
    ----------
    network
        As loaded.
    layer
        As `probe.probe` found it.
    inputs
        Pictures or texts, in the order of the rows.
    options
        Device and precision; the batch size counts only where it was asked for.
    reduction
        What is made of the features; None = nothing.
    scale
        Training stimuli by whose SD each feature is divided; none = it is not.

    Returns
    -------
    identity
        Equal ones stand for equal numbers; `store.key` makes a name of it.

    Raises
    ------
    MissingInputError
        If a stimulus of `scale` is not among `inputs`.
    ConfigError
        If the inputs are texts, and the network reads none.
    """
    made = identities_of(
        network, (layer,), inputs, options=options, reduction=reduction, scale=scale
    )
    return made[layer.layer.name]


def identities_of(
    network: Network,
    layers: Sequence[Probed],
    inputs: Shown | Read,
    *,
    options: Options,
    reduction: Reduction | None = None,
    scale: Collection[str] = (),
) -> dict[str, dict[str, str]]:
    """Name everything that the features of several layers depend on.

    Parameters
    ----------
    network, inputs, options, reduction, scale
        As in `identity_of`.
    layers
        As `probe.probe` found them.

    Returns
    -------
    identities
        By the name of the layer, in the order of `layers`.

    Raises
    ------
    MissingInputError
        If a stimulus of `scale` is not among `inputs`.
    ConfigError
        If the inputs are texts, and the network reads none.
    """
    shared = {
        "network": network.card.name,
        "weights": network.weights,
        "weights_sha256": network.weights_sha256,
        "architecture": f"sha256 {_architecture(network)}",
        **_inputs(network, inputs),
        "precision": _precision(options.precision),
        "device": options.device.partition(":")[0],
        "batch_size": str(options.batch_size) if options.batch_size else FOUND,
        "reduction": _reduction(reduction),
        "scale": _scale(scale, inputs.sha256),
        "libraries": _libraries(network.module),
        "extraction": EXTRACTION,
    }
    return {probed.layer.name: shared | {"layer": canonical(probed)} for probed in layers}


def recorded(identity: Mapping[str, str], *, batch_size: int, device_name: str) -> dict[str, str]:
    """Add what was found while the features were made, `store.RECORDED`, which alters no key.

    Parameters
    ----------
    identity
        From `identity_of`.
    batch_size : int
        As used.
    device_name
        Such as the model of the GPU.
    """
    return {**identity, "batch_size_used": str(batch_size), "device_name": device_name}


def size_px_of(identity: Mapping[str, str]) -> int:
    """Return the side of the picture that the network saw, pixels; 0 where it saw none.

    Parameters
    ----------
    identity
        From `identity_of`.

    Examples
    --------
    >>> size_px_of({"preprocessing": "224 px, squash, bilinear"}), size_px_of({})
    (224, 0)
    """
    side, _, unit = identity.get("preprocessing", "").partition(",")[0].partition(" ")
    return int(side) if unit == "px" else 0


def canonical(probed: Probed) -> str:
    """Return a layer with all its options written out, however the user spelled it.

    Parameters
    ----------
    probed
        As `probe.probe` found it.
    """
    layer = probed.layer
    places = ";".join(f"{row},{column}" for row, column in layer.places)
    taken = {"at": f"at({places})", "pool": f"pool({layer.n_cells})"}
    parts = [
        layer.module,
        f"field({layer.field})" if layer.field else "",
        taken.get(layer.take, layer.take),
        "relu" if layer.is_rectified else "",
        f"visit({probed.visit})",
        probed.modality,
    ]
    return ":".join([parts[0], *filter(None, parts[1:])])


def network_sha256(network: Network) -> str:
    """Return one SHA-256 over all of a network that its features depend on.

    Parameters
    ----------
    network
        As loaded.
    """
    parts = [network.weights_sha256, _architecture(network), _libraries(network.module)]
    return files.fingerprint_of(parts)


def _inputs(network: Network, inputs: Shown | Read) -> dict[str, str]:
    card = network.card
    digests = _listed(f"{name}\0{digest}" for name, digest in inputs.sha256.items())
    told = {"stimuli": f"{len(inputs.sha256)}, sha256 {digests}"}
    if isinstance(inputs, Read):
        return told | {
            "method": card.methods.get("text", ""),
            "preprocessing": f"tokens, sha256 {_tokens(network, inputs.captions)}",
            "captions": f"{sum(map(len, inputs.captions.values()))}, "
            f"sha256 {_listed(_captions(inputs.captions))}",
            "transforms": "",
        }
    return told | {
        "method": card.methods.get("image", ""),
        "preprocessing": f"{card.size_px} px, {card.resize}, {card.interpolation}, "
        f"mean {list(card.mean)}, sd {list(card.sd)}",
        "transforms": " | ".join(inputs.transforms),
    }


def _captions(captions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, texts in captions.items():
        yield "\0".join((name, str(len(texts)), *texts))


def _tokens(network: Network, captions: Mapping[str, Sequence[str]]) -> str:
    """Hash what the network sees of the texts, which another tokenizer would alter."""
    if network.tokenize is None:
        raise ConfigError(
            f"{network.card.name} reads no texts, but captions are to be shown to it.",
            mend="Name a network with a text tower, such as open_clip:ViT-B-32.",
        )
    digest = hashlib.sha256()
    texts = (text for several in captions.values() for text in several)
    while some := list(islice(texts, AT_A_TIME)):
        for name, tensor in sorted(network.tokenize(some).items()):
            values = tensor.detach().cpu().contiguous().numpy()
            digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


def _architecture(network: Network) -> str:
    """Hash the modules with their settings, and the source of those that are of no library.

    The hash of the weights does not tell a stride, a nonlinearity or a forward pass.
    """
    told = [str(network.module), *settings_of(network.module)]  # such as the heads of attention
    shape = re.sub(r" at 0x[0-9a-f]+", "", "\n".join(told))  # addresses of functions
    digest = hashlib.sha256(shape.encode())
    sources, _ = code_of(network.module)
    for source in sorted(map(files.fingerprint, sources)):
        digest.update(source.encode())
    return digest.hexdigest()


def _libraries(module: torch.nn.Module) -> str:
    """Name the libraries that make the numbers, with their versions."""
    found = {f"torch {torch.__version__}", f"numpy {np.__version__}", f"pillow {PIL.__version__}"}
    return ", ".join(sorted(found | code_of(module)[1]))


def _precision(precision: str) -> str:
    told = {
        "float32": "float32 without TF32, Gram in float64",
        "tf32": "float32 with TF32, Gram in float64",
        "bf16": "bfloat16, Gram in float64",
    }
    if precision not in told:
        raise ConfigError(f"There is no precision {precision!r}.", mend=nearest(precision, told))
    return told[precision]


def _reduction(reduction: Reduction | None) -> str:
    if reduction is None or reduction.kind == "none":
        return "none"
    return (
        f"{reduction.kind}(n={reduction.n_components}, eps={reduction.eps}, seed={reduction.seed})"
    )


def _scale(scale: Collection[str], stimuli: Collection[str]) -> str:
    if not scale:
        return "none"
    if missing := [name for name in scale if name not in stimuli]:
        raise MissingInputError(
            f"Features are to be scaled by {missing[0]!r}, which is not among the "
            f"{len(stimuli)} stimuli.",
            mend=nearest(missing[0], stimuli),
        )
    return f"SD over {len(set(scale))} stimuli, sha256 {_listed(sorted(set(scale)))}"


def _listed(lines: Iterator[str] | Sequence[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        raw = line.encode()
        digest.update(f"{len(raw)}:".encode() + raw)  # no text can pass for two
    return digest.hexdigest()
