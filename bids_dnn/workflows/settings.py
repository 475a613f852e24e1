"""Our execution settings of nipype, in place of those of any nipype.cfg that lies about."""

from __future__ import annotations

import os
from pathlib import Path

from nipype import config
from nipype import logging as nipype_logging

WORK_DIR = "BIDS_DNN_WORK_DIR"  # tells worker processes where crash files go
STOP = "BIDS_DNN_STOP_ON_FIRST_CRASH"


def announce(work_dir: Path, *, stop_on_first_crash: bool) -> None:
    """Say in the environment, which workers inherit, what `apply_settings` reads there."""
    (work_dir / "crashes").mkdir(parents=True, exist_ok=True)
    os.environ["NIPYPE_NO_ET"] = "1"
    os.environ[WORK_DIR] = str(work_dir)
    os.environ[STOP] = str(stop_on_first_crash).lower()


def apply_settings() -> None:
    """Set every setting that changes what runs or what is said.

    nipype reads ``nipype.cfg`` of the home and of the working directory when it is imported,
    in each worker anew; what it read there is thrown away.
    """
    crashes = Path(os.environ.get(WORK_DIR, "."), "crashes")
    config.set_default_config()
    config.update_config(
        {
            "execution": {
                "crashdump_dir": str(crashes),
                "crashfile_format": "txt",
                "hash_method": "content",
                "poll_sleep_duration": "0.05",
                "check_version": "false",
                "create_report": "false",
                "stop_on_first_crash": os.environ.get(STOP, "false"),
                "remove_unnecessary_outputs": "false",
                "keep_inputs": "true",
                "parameterize_dirs": "true",
            },
            "logging": {
                "log_to_file": "false",
                "workflow_level": "CRITICAL",
                "utils_level": "CRITICAL",
                "interface_level": "CRITICAL",
            },
            "monitoring": {"enabled": "false"},
        }
    )
    nipype_logging.update_logging(config)
