"""``python -m benchmarks [NAME...]``: one line a comparison, name ours peer ratio target."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from benchmarks import Device, Row, Size
from bids_dnn.backend import choose_device
from bids_dnn.errors import BidsDnnError, ConfigError, nearest

NAMES = {
    "encode_ridge": ("cpu", "cuda"),
    "encode_pls": ("cpu",),
    "encode_banded": ("cpu",),
    "encode_scaling": ("cpu",),
    "decode_permutation": ("cpu", "cuda"),
    "decode_study": ("cpu",),
    "searchlight": ("cpu", "cuda"),
    "tfce": ("cpu",),
    "lss": ("cpu",),
    "features_layers": ("cpu", "cuda"),
    "gram_layers": ("cpu", "cuda"),
    "gram_streamed": ("cpu", "cuda"),
    "rdm_from_gram": ("cpu",),
    "readout_sweep": ("cpu", "cuda"),
}  # with the devices each knows


def measure(name: str, *, size: Size, device: Device) -> list[Row]:
    """Run one benchmark.

    Raises
    ------
    ConfigError
        If there is no such benchmark, it does not run on this device, or that is not there.
    """
    if name not in NAMES:
        raise ConfigError(f"There is no benchmark {name!r}.", mend=nearest(name, NAMES))
    if device not in NAMES[name]:
        raise ConfigError(
            f"Benchmark {name} does not run on {device}, only on {', '.join(NAMES[name])}.",
            mend=f"Type --device {NAMES[name][0]}.",
        )
    choose_device(device)
    rows: list[Row] = import_module(f"benchmarks.{name}").run(size, device)
    return rows


@click.command()
@click.argument("names", nargs=-1)
@click.option("--size", type=click.Choice(["small", "full"]), default="small", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(names: tuple[str, ...], size: str, device: str) -> None:
    """Compare answers, then times or memory, with others; NAMES are all by default.

    Prints one line a comparison: name ours peer ratio target ok|short, where ratio is how many
    times faster or smaller ours is.
    """
    try:
        for name in names or NAMES:
            for row in measure(name, size=cast(Size, size), device=cast(Device, device)):
                click.echo(row.line())
    except BidsDnnError as err:
        raise click.UsageError(str(err)) from err


if __name__ == "__main__":
    main()
