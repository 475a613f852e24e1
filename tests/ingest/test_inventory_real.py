"""ingest.inventory on real names and sidecars (ds000114, fMRIPrep 21.0.2), without images."""

import re
import shutil

import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.ingest.inventory import take_inventory
from tests.factories.trees import describe

TASKS = [
    "covertverbgeneration",
    "fingerfootlips",
    "linebisection",
    "overtverbgeneration",
    "overtwordrepetition",
]
MNI = "MNI152NLin2009cAsym"
IMAGES = {  # what the name of a sidecar becomes
    r"(_desc-(preproc_bold|brain_mask))\.json": r"\1.nii.gz",
    r"(_hemi-[LR]_space-\w+_bold)\.json": r"\1.func.gii",
    r"(_den-91k_bold)\.json": r"\1.dtseries.nii",
    r"(_desc-confounds_timeseries)\.json": r"\1.tsv",
}


@pytest.fixture
def raw(tmp_path):
    describe(tmp_path / "raw", "ds000114")
    (tmp_path / "raw" / "participants.tsv").write_text("participant_id\nsub-01\n")
    return tmp_path / "raw"


@pytest.fixture(scope="module")
def linked(real_data, tmp_path_factory):
    """The same tree as DataLad leaves it: each image a link whose content was not fetched."""
    home = tmp_path_factory.mktemp("linked") / "prep"
    shutil.copytree(real_data / "fmriprep_sidecars", home, copy_function=shutil.copyfile)
    for path in [home, *(p for p in home.rglob("*") if p.is_dir())]:
        path.chmod(0o755)
    for path in list(home.rglob("*.json")):
        for pattern, image in IMAGES.items():
            if re.search(pattern + "$", path.name):
                link = path.with_name(re.sub(pattern + "$", image, path.name))
                link.symlink_to("../../../.git/annex/objects/x")
    return home


@pytest.mark.real
def test_absent_images_are_told_from_those_never_made(real_data, raw):
    given = {"fmriprep": real_data / "fmriprep_sidecars"}
    expected = (
        r"no preprocessed BOLD image.*spaces MNI152NLin2009cAsym, MNI152NLin6Asym, T1w, fsLR, "
        rf"fsaverage5, native; the tasks {', '.join(TASKS)}; the sessions retest, test\. "
        r"The images themselves are missing: fetch them \(datalad get"
    )
    with pytest.raises(MissingInputError, match=expected):
        take_inventory(raw, derivatives=given)


@pytest.mark.real
@pytest.mark.parametrize("space", ["T1w", f"{MNI}:res-2", "fsaverage5", "fsLR:den-91k", "native"])
def test_every_output_space_is_matched(raw, linked, space):
    found = take_inventory(raw, derivatives={"fmriprep": linked}, space=space)
    assert [subject.task for subject in found.participants] == TASKS
    for subject in found.participants:
        assert subject.space == space.split(":")[0]
        timing = [(r.session, r.run, r.t_r_s, r.start_s) for r in subject.runs]
        t_r_s = subject.runs[0].t_r_s
        assert timing == [("retest", "retestx01", t_r_s, 0.0), ("test", "testx01", t_r_s, 0.0)]
        assert all(run.confounds is not None for run in subject.runs)
        is_volume = space in ("T1w", "native") or space.startswith("MNI")
        assert all((run.mask is not None) == is_volume for run in subject.runs)
        assert all((run.bold_right is not None) == (space == "fsaverage5") for run in subject.runs)
    lines = found.participants[TASKS.index("linebisection")].runs
    assert [run.t_r_s for run in lines] == [2.5, 2.5]
    not_fetched = [note for note in found.notes if "datalad get" in note]
    assert len(not_fetched) == len(TASKS)


@pytest.mark.real
def test_what_else_there_is_is_told(raw, linked):
    found = take_inventory(raw, derivatives={"fmriprep": linked})
    assert found.notes[0] == (
        f"The space T1w was chosen; --space takes others: {MNI}:res-2 (volumes); "
        "fsaverage5 (surfaces); fsLR:den-91k (CIFTI)."
    )
    with pytest.raises(
        MissingInputError, match=r"T1w, MNI.*:res-2, native \(volumes\); fsaverage5"
    ):
        take_inventory(raw, derivatives={"fmriprep": linked}, space="fsaverage6")
