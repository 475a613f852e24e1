"""What is to be done, decided before a node exists: jobs, their fingerprints, what is left out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from bids_dnn import __version__
from bids_dnn.config.schema import Analysis
from bids_dnn.containers.readout import READOUTS
from bids_dnn.derivatives import names, provenance
from bids_dnn.errors import BidsDnnError, ConfigError
from bids_dnn.files import fingerprint_of, read_json
from bids_dnn.ingest.choices import Settings, settle
from bids_dnn.ingest.inventory import Subject
from bids_dnn.ingest.records import READY
from bids_dnn.ingest.spm_folders import model_files
from bids_dnn.workflows.asked import any_uses_features, asked, decodes, networks_of, uses_features
from bids_dnn.workflows.besides import own_of, seed_of, split_of
from bids_dnn.workflows.check_samples import why_not_samples
from bids_dnn.workflows.check_searchlight import why_not_searchlight
from bids_dnn.workflows.checks import check_decoding, count_runs, why_not
from bids_dnn.workflows.meshes import mesh_files, uris_of_meshes
from bids_dnn.workflows.networks import network_manifests
from bids_dnn.workflows.regions import reference_of, regions_manifest
from bids_dnn.workflows.scene import STEPS, Manifest, Scene, portable

PLAIN = ("raw", "detrend+cosine")  # what each way of denoising is drawn beside
# Settings of [responses] that readers of BOLD runs do not take.
NOT_OF_RUNS = ("source", "path", "conditions", "compare_confounds", "spm_images", "normalize")


@dataclass(frozen=True, slots=True)
class Job:
    """One analysis of one participant.

    Parameters
    ----------
    analysis
        ``decode`` or ``encode``.
    manifest
        All that its step needs to know, JSON-ready.
    fingerprint
        Of all that its result depends on.
    done
        Its result was there when the plan was made.
    needs_features
        Whether it waits for the features of the networks.
    """

    analysis: Analysis
    manifest: Manifest
    fingerprint: str
    done: bool
    needs_features: bool

    def table(self) -> Path:
        """Return where its table lies."""
        told = self.manifest
        return names.path_of(
            Path(told["output_dir"]), "scores", **told["entities"], analysis=self.analysis
        )

    def is_there(self) -> bool:
        """Tell whether its result is there now, whole, with this fingerprint."""
        sidecar = names.sidecar_of(self.table())
        if not provenance.is_done(sidecar, self.fingerprint):
            return False
        root = Path(self.manifest["output_dir"])
        regions = read_json(sidecar).get("Facts", {}).get("regions", [])
        return all((root / name).is_file() for one in regions for name in one.get("files", ()))

    def why_left_out(self) -> str:
        """Return why it was left out for these inputs and settings, "" where it was not."""
        said = Path(self.manifest["left_out"])
        if not said.is_file():
            return ""
        told = read_json(said)
        return str(told["what"]) if told[provenance.FINGERPRINT] == self.fingerprint else ""


@dataclass(frozen=True, slots=True)
class SubjectPlan:
    """What is done for one participant in one task and space.

    Parameters
    ----------
    subject
        From the inventory.
    name
        Letters, digits and underscores: of its workflow and its folder in the work directory.
    responses, regions
        Manifests of the two first steps.
    jobs
        Those that the data allow.
    problems
        Why a job is left out that was asked for; its participant fails.
    notes
        What is left out without having been asked for.
    """

    subject: Subject
    name: str
    responses: Manifest
    regions: Manifest
    jobs: tuple[Job, ...]
    problems: tuple[BidsDnnError, ...] = ()
    notes: tuple[str, ...] = ()

    def waiting(self) -> tuple[Job, ...]:
        """Return the jobs whose results are not there."""
        return tuple(job for job in self.jobs if not (job.done or job.why_left_out()))

    def needs_features(self) -> bool:
        """Tell whether one of these waits for the features of the networks."""
        return any(job.needs_features for job in self.waiting())


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole participant-level run.

    Parameters
    ----------
    subjects
        In the order of labels.
    networks
        Manifests of feature extraction, by the network's name.
    """

    subjects: tuple[SubjectPlan, ...]
    networks: dict[str, Manifest] = field(default_factory=dict)

    def needs_features(self) -> bool:
        """Tell whether a job waits for the features of the networks."""
        return any(subject.needs_features() for subject in self.subjects)


def make_plan(scene: Scene) -> Plan:
    """Decide what is done for whom.

    Parameters
    ----------
    scene
        Settings, what was found, and where things go.

    Raises
    ------
    ConfigError
        If settings of an analysis do not go together.
    MissingInputError
        If a stimulus or a file of weights is not there.
    LeakageError
        If one picture has two names, of which one trains and the other tests.
    """
    split = split_of(scene) if "encode" in asked(scene.config) else {}
    if any(decodes(scene.config, one) for one in asked(scene.config)):
        check_decoding(scene.config)
    needs = any_uses_features(scene.config) and bool(scene.stimuli.files)
    networks = network_manifests(scene) if needs else {}
    shown = _Shown(networks, split)
    subjects = tuple(_plan_or_problem(scene, s, shown) for s in scene.inventory.participants)
    return Plan(subjects, networks)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is known of stimuli beside a participant's data: their networks, and their split."""

    networks: dict[str, Manifest]
    split: dict[str, str]

    def of(self, names_: tuple[str, ...]) -> dict[str, Manifest]:
        """Return the networks of these names, all where none is named."""
        return {name: self.networks[name] for name in names_} if names_ else self.networks


def _plan_or_problem(scene: Scene, subject: Subject, shown: _Shown) -> SubjectPlan:
    """Plan one participant; what is wrong with this one does not stop the others."""
    try:
        return _plan_subject(scene, subject, shown)
    except BidsDnnError as err:
        return SubjectPlan(subject, _name(subject), {}, {}, (), (err,))


def _name(subject: Subject) -> str:
    parts = ("sub", subject.participant, subject.task, subject.space)
    return "_".join("".join(c for c in part if c.isalnum()) for part in parts if part)


def _settings_of(scene: Scene, analysis: Analysis) -> Manifest:
    if analysis == "ceiling":
        return {}
    if analysis == "denoise":
        told = scene.config.responses
        return {
            "strategies": list(dict.fromkeys([*PLAIN, told.confounds, *told.compare_confounds])),
            "low_pass_hz": told.low_pass_hz,
            "rest": list(told.rest),
        }
    settings: Manifest = getattr(scene.config, analysis).model_dump(mode="json")
    return settings


def _plan_subject(scene: Scene, subject: Subject, shown: _Shown) -> SubjectPlan:
    responses = _responses_manifest(scene, subject)
    regions = regions_manifest(scene, subject)
    n_runs = count_runs(subject)
    jobs: list[Job] = []
    problems: list[BidsDnnError] = []
    notes: list[str] = []
    for analysis in asked(scene.config):
        why = why_not(
            analysis,
            subject,
            scene.stimuli,
            n_runs=n_runs if decodes(scene.config, analysis) else None,
            needs_features=uses_features(scene.config, analysis),
        )
        if why is None and analysis == "searchlight":
            why = why_not_searchlight(scene.config.searchlight, subject, regions)
        if why is None:
            why = why_not_samples(scene.config, analysis, subject, responses["settings"])
        if why is not None and (scene.config.run.analysis or isinstance(why, ConfigError)):
            problems.append(why)
        elif why is not None:
            notes.append(f"{analysis} is left out: {why.what}")
        else:
            job = _job(scene, analysis, (subject, responses, regions), shown)
            notes += _replaced(scene, job)
            jobs.append(job)
    if not jobs and not problems:
        problems.append(
            ConfigError(
                f"Nothing can be done for sub-{subject.participant}: {' '.join(notes)}",
                mend="Mend one of these, then run again.",
            )
        )
    return SubjectPlan(
        subject, _name(subject), responses, regions, tuple(jobs), tuple(problems), tuple(notes)
    )


def _replaced(scene: Scene, job: Job) -> list[str]:
    """Warn where a result of another source, or of other sessions or runs, has the same name."""
    if job.done or not names.sidecar_of(job.table()).is_file():
        return []
    sidecar = read_json(names.sidecar_of(job.table()))
    before = sidecar.get("Settings", {}).get("responses", {}).get("source")
    now = job.manifest["sidecar"]["Settings"]["responses"]["source"]
    if before not in (None, now):
        return [
            f"the {job.analysis} result of {before} that is there is replaced by that of {now}; "
            "choose another OUTPUT_DIR to keep both."
        ]
    chosen = scene.config.run.session_label or scene.config.run.run_id
    if not (chosen or scene.config.run.bids_filter_file):
        return []
    return [f"the {job.analysis} result that is there, of other runs or settings, is replaced."]


def _responses_manifest(scene: Scene, subject: Subject) -> Manifest:
    files, settings = list(subject.inputs()), _settings(scene, subject)
    if subject.spm is not None:
        chosen = {key: settings[key] for key in ("images", "normalize")}
        files = model_files(subject.spm, **chosen)
    if settings.get("conditions"):
        files.append(Path(settings["conditions"]))
    return {
        "subject": subject.to_json(),
        "settings": settings,
        "stimuli": sorted(scene.catalog),
        "aliases": {key: list(ids) for key, ids in scene.stimuli.aliases.items()},
        "same": scene.same(),
        "inputs": scene.inputs.of(files),
        "code": provenance.code_fingerprint(f"{STEPS}.responses"),
    }


def _settings(scene: Scene, subject: Subject) -> Manifest:
    """Return those settings of [responses] that the reader of this source takes."""
    told: Manifest = scene.config.responses.model_dump(mode="json")
    if subject.source in READY:
        return {"standardize": told["standardize"]}
    if subject.source != "spm":
        own = {key: value for key, value in told.items() if key not in NOT_OF_RUNS}
        n_sessions = len({run.session for run in subject.runs})
        settle(cast(Settings, own), n_sessions=n_sessions)  # refuses what cannot be
        return own
    given = scene.config.responses.conditions
    conditions = given or scene.inventory.bids_dir / "stimuli" / "conditions.tsv"
    is_there = conditions.is_file() or given is not None
    return {
        "standardize": told["standardize"],
        "images": told["spm_images"],
        "normalize": told["normalize"],
        "fir_window_s": told["fir_window_s"],
        "conditions": str(conditions) if is_there else None,
    }


def _job(
    scene: Scene,
    analysis: Analysis,
    parts: tuple[Subject, Manifest, Manifest],
    shown: _Shown,
) -> Job:
    subject, responses, regions = parts
    needs_features = uses_features(scene.config, analysis)
    networks = shown.of(networks_of(scene.config, analysis))
    networks = networks if needs_features else {}
    settings = _settings_of(scene, analysis)
    seed = seed_of(scene.config.run.random_seed, subject.participant, analysis)
    made_from = {
        "version": __version__,
        "code": provenance.code_fingerprint(f"{STEPS}.{analysis}"),
        "responses": responses,
        "regions": {k: v for k, v in regions.items() if k not in ("output_dir", "sources")},
        "settings": settings,
        "seed": seed,
        "networks": {k: v["key"] for k, v in networks.items()},
    }
    own = own_of(scene, analysis, subject, shown.split)
    made_from |= own
    said = settings | {"decode": own["decode"]} if "decode" in own else settings
    print_ = fingerprint_of(portable(made_from, scene.roots()))
    entities = {"participant": subject.participant, "task": subject.task, "space": subject.space}
    files = [*map(Path, responses["inputs"]), *map(Path, regions["inputs"])]
    if needs_features:
        files += [path for paths in scene.stimuli.files.values() for path in paths]
        files += [
            Path(w) for n in networks.values() if (w := n["weights"]) not in (None, "random")
        ]
    settled = {"source": subject.source} | responses["settings"]
    named = [{"name": rule["name"], "rule": rule["rule"]} for rule in regions["rules"]]
    sidecar = {
        "Sources": provenance.sources(files, scene.roots()),
        "GeneratedBy": f"bids_dnn {__version__}",
        "Settings": {"responses": settled, "regions": named, analysis: said},
        "RandomSeed": scene.config.run.random_seed,
        provenance.FINGERPRINT: print_,
    }
    sidecar |= reference_of(scene, subject)
    if "meshes" in own:
        sidecar["Meshes"] = uris_of_meshes(mesh_files(subject), scene.roots())
    manifest = {
        "output_dir": str(scene.output_dir),
        "entities": entities,
        "settings": settings,
        "seed": seed,
        "sidecar": sidecar,
        "is_asked": bool(scene.config.run.analysis),
        "left_out": str(scene.work_dir / "left_out" / f"{_name(subject)}_{analysis}.json"),
        "device": scene.config.run.device,
    } | own
    manifest |= _further(scene, analysis, subject, networks)
    job = Job(analysis, manifest, print_, done=False, needs_features=needs_features)
    return replace(job, done=job.is_there())


def _further(
    scene: Scene, analysis: Analysis, subject: Subject, networks: dict[str, Manifest]
) -> Manifest:
    """Return what the step of one analysis alone needs to know, and no result depends on."""
    if analysis == "encode":
        told = scene.config.encode
        has_readouts = any(name in READOUTS for name in told.estimator)
        return {"networks": networks if told.triggered or has_readouts else {}}
    if analysis == "denoise":
        return {"subject": subject.to_json()}
    if analysis == "searchlight":
        ticked = scene.work_dir / "progress" / f"{_name(subject)}_{analysis}.json"
        # Of meshes, `own_of` has what they hold.
        return {"progress": str(ticked), "meshes": mesh_files(subject)}
    return {}
