"""config.twin: levels of noise as TOML has them."""

import math

import pytest
from pydantic import ValidationError

from bids_dnn.config.load import load
from bids_dnn.config.twin import TwinConfig
from bids_dnn.errors import ConfigError


def test_no_noise_is_a_word_whether_a_number_or_text():
    assert TwinConfig(snr=[math.inf, 2]).snr == TwinConfig(snr=["inf", 2.0]).snr == ("inf", 2.0)
    assert TwinConfig().model_dump(mode="json")["snr"] == ["inf", 4.0, 2.0, 1.0, 0.5]


@pytest.mark.parametrize("snr", [[0], [-1.0], ["loud"], [], [math.nan], 2])
def test_levels_that_are_none_are_refused(snr):
    with pytest.raises(ValidationError, match="snr"):
        TwinConfig(snr=snr)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "analysis.toml"
    path.write_text('[twin]\nsnr = [inf, 1]\ncomponents = "all"\nnetworks = ["alexnet"]\n')
    twin = load(path, {}).twin
    assert (twin.snr, twin.components) == (("inf", 1.0), "all")


@pytest.mark.parametrize(
    "encode", ["", '[encode]\nnetworks = ["b"]\n[networks.b]\nnetwork = "alexnet"\n']
)
def test_a_network_that_is_not_there_is_refused(tmp_path, encode):
    path = tmp_path / "analysis.toml"
    path.write_text(f'[twin]\nnetworks = ["bb"]\n{encode}')
    with pytest.raises(ConfigError, match="'bb', which is not among"):
        load(path, {})
