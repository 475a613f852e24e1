"""cli.options: spellings as in fMRIPrep, errors in two sentences."""

import click
import pytest
from click.testing import CliRunner

from bids_dnn.cli.options import DoubleSpelling, guarded
from bids_dnn.errors import ConfigError


@pytest.fixture
def command():
    @click.command(cls=DoubleSpelling)
    @click.argument("bids_dir")
    @click.option("--participant-label", multiple=True, metavar="LABEL ...")
    @click.option("-t", "--task-id", multiple=True, metavar="LABEL ...")
    @click.option("--work-dir")
    def run(**options):
        click.echo(repr(sorted(options.items())))

    return run


@pytest.mark.parametrize(
    "args",
    [
        ["/data", "--participant-label", "01", "02"],
        ["/data", "--participant_label", "01", "--participant-label", "02"],
        ["--participant-label", "01", "02", "--task-id", "x", "--", "/data"],
        ["--participant_label=01", "--participant-label=02", "/data"],
        ["/data", "--participant-label=01", "02"],
    ],
)
def test_both_spellings_and_several_labels(command, args):
    said = CliRunner().invoke(command, args)
    assert said.exit_code == 0, said.output
    assert "('bids_dir', '/data')" in said.output
    assert "('participant_label', ('01', '02'))" in said.output


def test_values_keep_their_underscores(command):
    said = CliRunner().invoke(command, ["/data", "--work_dir=/a_b"])
    assert "('work_dir', '/a_b')" in said.output


def test_a_mendable_error_is_two_sentences_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as left, guarded(0):
        raise ConfigError("Found this.", mend="Type that.")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.strip().endswith("Found this. Type that.")
    assert "Traceback" not in said


def test_twice_verbose_shows_the_traceback():
    with pytest.raises(ConfigError), guarded(2):
        raise ConfigError("Found this.", mend="Type that.")


def test_other_errors_are_bugs_and_pass():
    with pytest.raises(ZeroDivisionError), guarded(0):
        _ = 1 / 0
