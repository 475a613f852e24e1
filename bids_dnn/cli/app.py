"""The BIDS App: bids_dnn BIDS_DIR OUTPUT_DIR {participant,group}."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

import click

from bids_dnn import __version__
from bids_dnn.cli.options import DoubleSpelling, guarded

LABELS = ("participant_label", "session_label", "task_id", "run_id")
EXIT_CODES = """\b
Exit codes:
  0  all done
  1  some participant failed; each is named, the others are finished
  2  something that you can mend; two sentences say what and how
"""


@click.command(
    cls=DoubleSpelling,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("bids_dir", type=click.Path(path_type=Path))
@click.argument("output_dir", type=click.Path(path_type=Path))
@click.argument("analysis_level", type=click.Choice(["participant", "group"]))
@click.option(
    "--participant-label",
    multiple=True,
    metavar="LABEL ...",
    help="Participants, with or without sub-; all by default.",
)
@click.option(
    "--session-label", multiple=True, metavar="LABEL ...", help="Sessions, with or without ses-."
)
@click.option(
    "-t", "--task-id", multiple=True, metavar="LABEL ...", help="Tasks, with or without task-."
)
@click.option("--run-id", multiple=True, metavar="LABEL ...", help="Runs, with or without run-.")
@click.option("--space", metavar="SPACE", help="Space of the responses; T1w where there is one.")
@click.option(
    "-d",
    "--derivatives",
    multiple=True,
    metavar="NAME=PATH",
    help="A derivative dataset: fmriprep, spm, or any that holds masks. By default those under "
    "BIDS_DIR/derivatives. {participant} in an spm path stands for the label.",
)
@click.option(
    "--responses",
    metavar="KIND=PATH",
    help="Ready-made responses: glmsingle, nsd, bold5000, algonauts, vim1, tvsd, nwb, statmap or "
    "table, and their folder.",
)
@click.option(
    "--stimuli-dir",
    type=click.Path(path_type=Path),
    help="Folder of pictures, or a stack of them (.h5, .mat); BIDS_DIR/stimuli by default.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    help="Of one picture; larger ones are refused. 100 million by default.",
)
@click.option(
    "--fs-subjects-dir",
    type=click.Path(path_type=Path),
    help="FreeSurfer subjects; sourcedata/freesurfer of fMRIPrep by default.",
)
@click.option(
    "--retinotopy-template",
    type=click.Path(path_type=Path),
    help="Folder of the Benson template on fsaverage, for benson: regions.",
)
@click.option(
    "--bids-filter-file",
    type=click.Path(path_type=Path),
    help="JSON of pybids filters, as in fMRIPrep.",
)
@click.option(
    "--bids-database-dir",
    type=click.Path(path_type=Path),
    help="Where pybids keeps its index between runs.",
)
@click.option(
    "--skip-bids-validation",
    is_flag=True,
    help="Do not ask for BIDS_DIR/dataset_description.json.",
)
@click.option(
    "--analysis",
    multiple=True,
    type=click.Choice(["decode", "encode", "ceiling", "denoise", "twin", "searchlight"]),
    help="Repeatable; all that the data allow by default, but twin (networks decoded under "
    "noise, beside regions) and searchlight (decoding around each unit).",
)
@click.option(
    "--network",
    multiple=True,
    metavar="[NAME=]NETWORK[@LAYER,...]",
    help="alexnet, torchvision:NAME, timm:NAME, open_clip:ARCH/PRETRAINED, transformers:NAME, "
    "cornet:z, ecoset:NAME, lowlevel:gabor, FILE.py:FACTORY, or features:PATH. Repeatable.",
)
@click.option(
    "--weights",
    multiple=True,
    metavar="NAME=PATH",
    help="Weights of a network: a file, or random.",
)
@click.option(
    "--roi",
    multiple=True,
    metavar="[NAME=]RULE",
    help="A region: a mask by its label, PATH@SPACE, benson:V1@0-2deg, localizer:a>b, "
    "atlas:NAME:LABEL ... Repeatable; every mask found by default.",
)
@click.option(
    "--estimator",
    multiple=True,
    type=click.Choice(["ridge", "pls", "banded", "bashivan", "cadena", "factorized"]),
    help="How encoding predicts; repeatable; ridge by default.",
)
@click.option(
    "--comparison",
    multiple=True,
    metavar="COMPARISON",
    help="What decoding tells apart: 'a vs b', 'name:a+b vs other:c+d', pairs or all; repeatable; "
    "pairs and all by default.",
)
@click.option(
    "--classifier",
    type=click.Choice(["svm-linear", "svm-rbf", "lda", "ridge", "logistic"]),
    help="How decoding tells conditions apart; svm-linear by default.",
)
@click.option(
    "--allow-circular",
    is_flag=True,
    help="Let a localizer use runs that are analyzed; every table says so.",
)
@click.option(
    "--n-permutations",
    type=click.IntRange(1),
    help="Of labels (decode) and images (encode); 1000 by default.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="analysis.toml; options given here win over it.",
)
@click.option(
    "-w",
    "--work-dir",
    type=click.Path(path_type=Path),
    help="Intermediate results; ./work by default.",
)
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path),
    help="Where features are kept between runs; WORK_DIR/features by default.",
)
@click.option("--cache-size", metavar="SIZE", help="Limit of that folder, such as 50G.")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@click.option("--nprocs", type=click.IntRange(1), help="Processes at once; all cores by default.")
@click.option("--omp-nthreads", type=click.IntRange(1), help="Threads of one process.")
@click.option("--mem", metavar="SIZE", help="Memory to stay under, with its unit, such as 16G.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where networks run; auto by default.",
)
@click.option(
    "--use-plugin", type=click.Path(path_type=Path), help="Nipype plugin settings, YAML or JSON."
)
@click.option(
    "--random-seed",
    type=click.IntRange(0),
    help="Seed of everything that draws numbers; 0 by default.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what was matched and what would run; run nothing."
)
@click.option(
    "--download-only", is_flag=True, help="Fetch the weights that this run needs, then stop."
)
@click.option("--reports-only", is_flag=True, help="Make the reports anew from finished results.")
@click.option("--stop-on-first-crash", is_flag=True, help="Stop all at the first failure.")
@click.option("-v", "--verbose", "verbosity", count=True, help="Say more; twice for everything.")
@click.option("--quiet", is_flag=True, help="Say errors only.")
@click.version_option(__version__, message="bids_dnn %(version)s")
def main(
    bids_dir: Path,
    output_dir: Path,
    analysis_level: Literal["participant", "group"],
    *,
    dry_run: bool,
    download_only: bool,
    reports_only: bool,
    verbosity: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Relate deep networks to brain data.

    Reads fMRIPrep derivatives or SPM first levels of BIDS_DIR, decodes and encodes with deep
    networks for each participant, or tests over participants (group), and writes BIDS
    derivatives with HTML reports to OUTPUT_DIR.
    """
    with guarded(verbosity):
        from bids_dnn.cli.overrides import configure

        config = configure(options)
        from bids_dnn.workflows.app import Call, execute

        call = Call(
            bids_dir=Path(os.path.abspath(bids_dir)),  # noqa: PTH100  (links stay as typed)
            output_dir=Path(os.path.abspath(output_dir)),  # noqa: PTH100
            level=analysis_level,
            dry_run=dry_run,
            download_only=download_only,
            reports_only=reports_only,
            verbosity=-1 if quiet else verbosity,
            command=tuple(sys.argv),
        )
        sys.exit(execute(call, config))


if __name__ == "__main__":
    main()
