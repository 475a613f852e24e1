"""The settings of a run, as frozen models: names, types, defaults, meanings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from bids_dnn.config.decode import DecodeConfig, UnitsConfig
from bids_dnn.config.searchlight import SearchlightConfig
from bids_dnn.config.section import Section
from bids_dnn.config.twin import TwinConfig

Analysis = Literal["decode", "encode", "ceiling", "denoise", "twin", "searchlight"]
GROUPED: tuple[Analysis, ...] = ("decode", "encode", "twin", "searchlight", "ceiling")
Source = Literal[
    "auto",
    "fmriprep",
    "spm",
    "glmsingle",
    "nsd",
    "bold5000",
    "algonauts",
    "vim1",
    "tvsd",
    "nwb",
    "statmap",
    "table",
]
READY: tuple[str, ...] = get_args(Source)[3:]  # responses that somebody else has estimated
VOLUMES = ("block", "volumes")  # models that keep volumes, so that there are some of rest
DEFAULT_NETWORK = "alexnet"
Estimator = Literal["ridge", "pls", "banded", "bashivan", "cadena", "factorized"]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9+-]+$")]
Region = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")]


class RunConfig(Section):
    """Who, where, and with how much of the machine; each field is an option of the command."""

    participant_label: tuple[str, ...] = Field((), description="Participants; all by default.")
    session_label: tuple[str, ...] = Field((), description="Sessions; all by default.")
    task_id: tuple[str, ...] = Field((), description="Tasks; all by default.")
    run_id: tuple[str, ...] = Field((), description="Runs; all by default.")
    space: str | None = Field(None, description="Space of the responses; T1w where there is one.")
    derivatives: dict[str, Path] = Field({}, description="Derivative datasets by name.")
    fs_subjects_dir: Path | None = Field(
        None, description="FreeSurfer subjects; fMRIPrep's sourcedata/freesurfer by default."
    )
    stimuli_dir: Path | None = Field(
        None,
        description="Folder of pictures, or a stack of them (.h5, .mat); BIDS_DIR/stimuli by "
        "default.",
    )
    max_pixels: int = Field(
        100_000_000, ge=1, description="Of one picture; larger ones are refused."
    )
    retinotopy_template: Path | None = Field(
        None, description="Folder of the Benson template (lh.benson14_angle ... on fsaverage)."
    )
    allow_circular: bool = Field(
        default=False, description="Let a localizer use runs that are analyzed; said everywhere."
    )
    bids_filter_file: Path | None = Field(None, description="JSON of pybids filters.")
    bids_database_dir: Path | None = Field(None, description="Where pybids keeps its index.")
    skip_bids_validation: bool = Field(
        default=False, description="Do not ask that BIDS_DIR has a dataset_description.json."
    )
    analysis: tuple[Analysis, ...] = Field(
        (),
        description="Analyses; all that the data allow by default, but twin and searchlight, "
        "which are done where they are named.",
    )
    work_dir: Path | None = Field(
        None, description="Where intermediate results are kept; ./work by default."
    )
    cache_dir: Path | None = Field(
        None, description="Where features are kept between runs; WORK_DIR/features by default."
    )
    cache_size: str | None = Field(
        None, description="Least recently used features are removed beyond it, such as 50G."
    )
    offline: bool = Field(default=False, description="Never touch the network.")
    nprocs: int | None = Field(None, ge=1, description="Processes at once; all cores by default.")
    omp_nthreads: int | None = Field(
        None, ge=1, description="Threads of one process; cores / nprocs by default."
    )
    mem: str | None = Field(None, description="Memory to stay under, such as 16G.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where networks run.")
    use_plugin: Path | None = Field(None, description="Nipype plugin settings (YAML or JSON).")
    random_seed: int = Field(0, ge=0, description="Of everything that draws numbers.")
    stop_on_first_crash: bool = Field(default=False, description="Stop all at the first failure.")


class ResponsesConfig(Section):
    """How responses are made from what is there."""

    source: Source = Field("auto", description="Which derivatives, or which ready-made kind.")
    path: Path | None = Field(None, description="Folder of ready-made responses.")
    model: Literal["lsa", "lss", "lss-by-condition", "conditions", "fir", "block", "volumes"] = (
        Field(
            "lsa",
            description="lsa, lss, lss-by-condition = one beta a trial; conditions = one a "
            "condition and run; fir = the mean of its deconvolved response over a window; block = "
            "mean volume of each event; volumes = each volume within an event.",
        )
    )
    hrf: Literal[
        "spm",
        "spm + derivative",
        "spm + derivative + dispersion",
        "glover",
        "glover + derivative",
        "glover + derivative + dispersion",
    ] = Field("spm", description="Hemodynamic response, as nilearn names it.")
    high_pass_hz: float = Field(
        0.0078125, ge=0, description="Cut-off of the cosine drift of trial models, in Hz."
    )
    low_pass_hz: float | None = Field(None, gt=0, description="Faster changes are filtered out.")
    confounds: str = Field(
        "simple",
        description="none, simple, scrubbing, compcor, ica_aroma, or tokens joined by _ such as "
        "24-HMP_8-Phys_SpikeReg_cosine.",
    )
    compare_confounds: tuple[str, ...] = Field(
        (),
        description="Strategies drawn beside the chosen one, in a figure of each region's time "
        "series in the first run.",
    )
    standardize: Literal["auto", "none", "run", "session", "rest"] = Field(
        "auto",
        description="z-score each voxel over these samples; rest = by the rest volumes; auto = "
        "session where there are three or more, else none.",
    )
    detrend: Literal["none", "linear"] = Field("linear", description="Of volumes and blocks.")
    fir_window_s: tuple[float, float] = Field(
        (4.0, 8.0), description="After the onset: what the mean of fir is taken over."
    )
    fir_length_s: float = Field(20.0, gt=0, description="Delays that fir models.")
    joint: bool = Field(
        default=False, description="conditions and fir: one model of all runs of a session."
    )
    spm_images: Literal["beta", "con"] = Field(
        "beta", description="SPM's betas, or its contrast images."
    )
    normalize: Literal["none", "residual"] = Field(
        "none", description="SPM: residual divides each voxel by its residual SD (ResMS)."
    )
    rest: tuple[str, ...] = Field(
        ("rest", "fixation", "baseline"), description="Trial types that are no condition."
    )
    delay_s: float = Field(
        5.0, description="From an event to the volumes that answer it (block, volumes)."
    )
    conditions: Path | None = Field(
        None,
        description="Table (name, stimulus, condition) of SPM regressors; "
        "BIDS_DIR/stimuli/conditions.tsv by default.",
    )


class NetworkConfig(Section):
    """A network, its layers and its weights, and what is done to stimuli and features."""

    network: str = Field(
        description="alexnet, torchvision:NAME, timm:NAME, open_clip:ARCH/PRETRAINED, "
        "transformers:REPOSITORY, cornet:z, ecoset:NAME, lowlevel:gabor, FILE.py:FACTORY, or "
        "features:PATH."
    )
    layers: tuple[str, ...] = Field(
        (),
        description="PATH[:OPTION], such as features.8, conv3:mean, blocks.5:class; the card's by "
        "default.",
    )
    weights: str | None = Field(None, description="A file, or random; published by default.")
    transform: tuple[str, ...] = Field(
        (), description="Done to the pictures, in order, such as retinawarp(density=10)."
    )
    captions: str | None = Field(
        None,
        description="What text towers read: a table or COCO JSON, or transformers:REPOSITORY of a "
        "captioner; the column caption of stimuli.tsv by default.",
    )
    precision: Literal["float32", "tf32", "bf16"] = Field(
        "float32", description="Of the network's arithmetic."
    )
    batch_size: int | None = Field(
        None, ge=1, description="Stimuli shown at a time; found by itself by default."
    )
    reduce: str = Field(
        "none",
        description="none, pca(n=100) learnt on training stimuli within folds, srp(eps=0.1) or "
        "srp(n=1000).",
    )
    scale: Literal["none", "train"] = Field(
        "none",
        description="train = each feature by its SD over the stimuli whose split is train in "
        "stimuli.tsv.",
    )
    gram: Literal["auto", "disk", "recompute"] = Field(
        "auto", description="Features wait on disk, or are computed several times."
    )
    keep_features: bool = Field(
        default=False, description="Write the features too, below OUTPUT_DIR/stimuli."
    )


class FoldsConfig(Section):
    """Which stimuli train and which test."""

    stimulus: int = Field(5, ge=2, description="Outer folds; a stimulus is in one only.")
    inner: int = Field(
        5, ge=2, description="Inner folds of the training stimuli, for select = 'inner'."
    )
    split: bool = Field(
        default=False,
        description="Train and test on the column split of stimuli.tsv (or on the split that the "
        "data set itself has) in place of outer folds.",
    )


class EncodeConfig(Section):
    """Encoding models."""

    networks: tuple[str, ...] = Field((), description="Names of [networks.*]; all by default.")
    estimator: tuple[Estimator, ...] = Field(
        ("ridge",),
        min_length=1,
        description="ridge = a penalty for each unit; pls = partial least squares, components "
        "shared by the units of a region; banded = all feature spaces together, a penalty for "
        "each unit and space; bashivan, cadena, factorized = readouts in space and features of "
        "each layer that puts out maps. One name or several.",
    )
    spaces: Literal["layer", "network"] = Field(
        "layer", description="What a feature space of banded ridge is."
    )
    candidates: int = Field(
        100, ge=1, description="Sets of weights of the spaces that banded ridge tries."
    )
    pls_scale: bool = Field(
        default=False,
        description="Divide features and responses by their SD over the training stimuli before "
        "partial least squares, as scikit-learn's scale=True; features of each layer are then "
        "kept in the cache.",
    )
    settings: int = Field(
        8, ge=1, description="Sets of penalties that readouts try, within training stimuli."
    )
    readout_features: Literal["auto", "cache", "images"] = Field(
        "auto",
        description="Where readouts take maps from: cache = kept on disk; images = made anew for "
        "each batch from 8-bit pictures in memory; auto = cache, unless the maps would take more "
        "than half of the free disk of the cache.",
    )
    loss: Literal["gaussian", "poisson"] = Field("gaussian", description="Of readouts.")
    stimulus_deg: float | None = Field(
        None,
        gt=0,
        description="Degrees of visual angle of the side of the picture that the network sees, "
        "for the places of receptive fields.",
    )
    triggered: bool = Field(
        default=False,
        description="Average the training pictures by the responses of 24 units of each region "
        "(response-triggered averages).",
    )
    partition: bool = Field(
        default=False,
        description="Divide the variance that banded ridge explains into what each of 2 to 4 "
        "spaces explains alone, and what they share.",
    )

    @field_validator("estimator", mode="before")
    @classmethod
    def _one_is_a_list(cls, told: object) -> object:
        return (told,) if isinstance(told, str) else told

    folds: FoldsConfig = FoldsConfig()
    select: Literal["auto", "gcv", "loo", "inner"] = Field(
        "auto",
        description="How each unit's penalty is chosen on training stimuli: gcv = generalized "
        "cross-validation, loo = each stimulus left out, inner = inner folds; auto = inner where "
        "the noise of samples is not independent (single-trial models), else gcv.",
    )
    alphas: tuple[float, ...] | Literal["auto"] = Field(
        "auto",
        description="Penalties, in multiples of the mean diagonal of the centered Gram matrix; "
        "auto = those that its spectrum asks for.",
    )
    nuisance: tuple[str, ...] = Field(
        (), description="Numeric columns of the events, regressed out within each fold."
    )
    ceiling: Literal["ncsnr", "split-half", "fev"] = Field(
        "split-half", description="Noise ceiling from repeats."
    )
    floor: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Reliability (share of signal in the variance of what is tested) below which "
        "there is no normalized score.",
    )
    units: UnitsConfig | None = Field(
        None,
        description="Units whose patterns identify images, by their r on training images alone, "
        "in each fold anew: { top = 500 } or { above = 0.1 }; all by default.",
    )
    permutations: int = Field(1000, ge=1, description="Shuffles of the images.")


class GroupConfig(Section):
    """Statistics over participants."""

    tests: tuple[Literal["sign-flip", "t", "wilcoxon", "mixed", "prevalence"], ...] = Field(
        ("sign-flip", "t"),
        min_length=1,
        description="One-sided, of the mean (mixed: of sessions); prevalence = how many have an "
        "effect.",
    )
    correct: Literal["fdr", "max", "tfce", "none"] = Field(
        "fdr",
        description="p of the first test, over the family of an analysis; max = by the largest t "
        "of each flip; tfce = of maps of voxels and vertices by the largest cluster-enhanced t, "
        "else as max.",
    )
    n_flips: int = Field(
        1000,
        ge=1,
        description="Flips for tfce and clusters of contrasts: random, or all of fewer.",
    )
    contrasts: tuple[str, ...] = Field(
        (),
        description="'region: FFA > V1', 'comparison: a vs b > c vs d', 'layer: conv1 != conv5' "
        "within participants; 'group: patient > control' of a column of participants.tsv.",
    )
    covariates: tuple[str, ...] = Field(
        (), description="Columns of participants.tsv that hold numbers."
    )
    p_unit: float = Field(
        0.001,
        gt=0,
        lt=1,
        description="Units of a searchlight are part of a cluster where their mean score is as "
        "rare by chance.",
    )
    n_maps: int = Field(
        10_000, ge=1, description="Chance maps of the group, against which clusters are compared."
    )
    atlas: Path | None = Field(
        None,
        description="Image of labels that names clusters, {hemi} for both hemispheres; else the "
        "participants' regions in the same space do.",
    )
    across: tuple[Literal["participants", "tasks"], ...] = Field(
        (),
        description="Decode across participants (each left out in turn, in a common space), or "
        "tasks (learnt on one, tested on another); needs decode.share.",
    )
    across_patterns: Literal["center", "zscore"] = Field(
        "center",
        description="What is done to each participant's (or task's) patterns beforehand, without "
        "labels: the mean is taken out; zscore = each unit is divided by its SD as well.",
    )


class Config(Section):
    """A whole run: every section of ``analysis.toml``."""

    run: RunConfig = RunConfig()
    responses: ResponsesConfig = ResponsesConfig()
    regions: dict[Region, str] = Field(
        {},
        description="name = rule, such as mask:V1, PATH@SPACE, benson:V1@0-2deg, localizer:a>b, "
        "atlas:NAME:LABEL ..., joined by | & -; every mask by default.",
    )
    networks: dict[Label, NetworkConfig] = Field(
        {DEFAULT_NETWORK: NetworkConfig(network=DEFAULT_NETWORK)}, min_length=1
    )
    decode: DecodeConfig = DecodeConfig()
    encode: EncodeConfig = EncodeConfig()
    twin: TwinConfig = TwinConfig()
    searchlight: SearchlightConfig = SearchlightConfig()
    group: GroupConfig = GroupConfig()
