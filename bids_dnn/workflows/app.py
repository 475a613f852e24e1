"""One call of the App: take stock, plan, run, report, and say how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bids_dnn.config.load import dump, gigabytes
from bids_dnn.config.schema import Config
from bids_dnn.derivatives.read import read_sidecar
from bids_dnn.ingest.inventory import Inventory, take_inventory
from bids_dnn.workflows import pages
from bids_dnn.workflows.across import with_across
from bids_dnn.workflows.asked import any_uses_features
from bids_dnn.workflows.checks import check_output, check_writable
from bids_dnn.workflows.dry import describe
from bids_dnn.workflows.failure import Failure
from bids_dnn.workflows.fetch import fetch_networks
from bids_dnn.workflows.inputs import Inputs
from bids_dnn.workflows.over_group import check_group, plan_group
from bids_dnn.workflows.pictures import stimuli_of
from bids_dnn.workflows.plan import Plan, SubjectPlan, make_plan
from bids_dnn.workflows.plugin import read_plugin
from bids_dnn.workflows.record import Log, describe_output, refresh_participants
from bids_dnn.workflows.resources import resources_of
from bids_dnn.workflows.scene import Scene
from bids_dnn.workflows.screen import Screen, doing, summary
from bids_dnn.workflows.stage import Stages

DONE, SOME_FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Call:
    """What was typed besides the settings.

    Parameters
    ----------
    bids_dir, output_dir
        Absolute.
    level
        ``participant`` or ``group``.
    dry_run, download_only, reports_only
        Run nothing; fetch what the run needs and stop; run the reports alone.
    verbosity : int
        -1 = quiet.
    command
        As typed.
    """

    bids_dir: Path
    output_dir: Path
    level: Literal["participant", "group"]
    dry_run: bool
    download_only: bool
    reports_only: bool
    verbosity: int
    command: tuple[str, ...]


def execute(call: Call, config: Config) -> int:
    """Do what was asked.

    Parameters
    ----------
    call
        What was typed.
    config
        The resolved settings.

    Returns
    -------
    exit_code
        0 = all done, 1 = some participant failed and the others are finished.

    Raises
    ------
    BidsDnnError
        If nothing can run, for a reason that the user can mend.
    """
    screen = Screen(call.verbosity)
    if call.level == "group":
        return _group(call, config, screen)
    return _participants(call, config, screen)


def _participants(call: Call, config: Config, screen: Screen) -> int:
    read_plugin(config.run.use_plugin)
    check_group(config)
    scene = _scene(call, config, screen)
    check_output(call.output_dir, inputs=_inputs(scene.inventory))
    if not call.dry_run:
        check_writable(call.output_dir)
        check_writable(scene.work_dir)
    for note in scene.inventory.notes:
        screen.warn(note)
    plan = make_plan(scene)
    _refuse_nothing(plan)
    if call.download_only:
        return _download(plan, config, screen)
    for note in [*scene.stimuli.notes, *scene.same_notes()]:
        screen.warn(note)
    resources = resources_of(config)
    if call.dry_run:
        for line in describe(scene, plan, resources, dump(config)):
            screen.say(line)
        return DONE
    waiting = [] if call.reports_only else [s for s in plan.subjects if s.waiting()]
    if waiting and plan.needs_features():
        fetch_networks(plan.networks, config, screen)  # what cannot be is refused first
    describe_output(
        call.output_dir,
        sources=scene.roots(),
        participants=sorted({s.subject.participant for s in plan.subjects}),
    )
    scene.inputs.save()
    stages = _stages(call, config, screen, scene.inputs.used())
    problems = _say_problems(plan, stages)
    failures = stages.analyses(plan) if waiting else []
    _shrink_cache(scene)  # once: in the middle of a run, what it still needs would have to be told
    told = pages.Told(call.command, config, scene, plan, tuple(failures))
    made = pages.participant_pages(told, anew=call.reports_only)
    failures += stages.independent("reports", "Report", made)
    stages.log.cite(pages.facts_of(told))
    _say_matches(plan, stages)
    failed = {*problems, *(_who(f, plan) for f in failures)}
    for subject in plan.subjects:  # all of it left out, so that there is nothing
        if not any(job.is_there() for job in subject.jobs):
            failed.add(subject.subject.participant)
    _finish(plan, waiting, failures, pages.written(told), screen)
    stages.log.add("end", failed=sorted(failed))
    return SOME_FAILED if failed else DONE


def _shrink_cache(scene: Scene) -> None:
    """Remove what was not used for longest, where the cache is larger than it may be."""
    limit = scene.config.run.cache_size
    if limit is not None and scene.cache_dir().is_dir():
        from bids_dnn.features import store

        store.prune(scene.cache_dir(), max_bytes=int(1e9 * gigabytes(limit)))


def _group(call: Call, config: Config, screen: Screen) -> int:
    plan = with_across(plan_group(call.output_dir, config, call.bids_dir), config)
    if call.dry_run:
        for line in plan.lines():
            screen.say(line)
        return DONE
    check_output(call.output_dir, inputs=[call.bids_dir] if call.bids_dir.is_dir() else [])
    check_writable(call.output_dir)
    refresh_participants(call.output_dir, plan.known)
    stages = _stages(call, config, screen, plan.inputs())
    for warning in plan.warnings:
        screen.warn(warning)
    waiting = {} if call.reports_only else plan.waiting()
    across = {name: told for name, told in waiting.items() if "across" in told}
    ticks = stages.work_dir / "progress"
    tests = {
        name: told | {"progress": str(ticks / f"group_{name}.json")}
        for name, told in waiting.items()
        if name not in across
    }
    failures = stages.independent("group", "TestGroup", tests)
    failures += stages.independent("across", "TestAcross", across)
    told = pages.group_pages(plan, config, call.command, anew=call.reports_only)
    failures += stages.independent("group_report", "ReportGroup", told)
    for manifest in list(told.values())[:1]:
        stages.log.cite(manifest["ran"])
    for failure in failures:
        screen.fail(_phrase(failure))
    there = [str(p) for p in plan.pages() if p.is_file()]
    made = sorted(waiting.keys() - {failure.node.rpartition(".")[2] for failure in failures})
    for line in summary(made, [], there, failed=bool(failures)):
        screen.say(line)
    stages.log.add("end", failed=[failure.node for failure in failures])
    return SOME_FAILED if failures else DONE


def _stages(call: Call, config: Config, screen: Screen, inputs: Mapping[str, str]) -> Stages:
    log = Log(call.output_dir)
    log.begin(command=call.command, config=dump(config), inputs=inputs)
    return Stages(
        work_dir=_work_dir(config),
        resources=resources_of(config),
        screen=screen,
        log=log,
        plugin_file=config.run.use_plugin,
        stop_on_first_crash=config.run.stop_on_first_crash,
    )


def _scene(call: Call, config: Config, screen: Screen) -> Scene:
    asked, told = config.run, config.responses
    inventory = take_inventory(
        call.bids_dir,
        derivatives=asked.derivatives,
        participant_label=asked.participant_label,
        session_label=asked.session_label,
        task_id=asked.task_id,
        run_id=asked.run_id,
        space=asked.space,
        source=told.source,
        bids_filter_file=asked.bids_filter_file,
        bids_database_dir=asked.bids_database_dir,
        validate=not asked.skip_bids_validation,
        ready=(told.source, told.path) if told.path is not None else None,
        fs_subjects_dir=asked.fs_subjects_dir,
    )
    work_dir = _work_dir(config)
    stimuli = stimuli_of(
        asked.stimuli_dir.absolute() if asked.stimuli_dir else None,
        inventory,
        work_dir,
        screen=screen,
        is_dry=call.dry_run or call.download_only,
        needs_arrays=any_uses_features(config),
    )
    return Scene(
        config,
        inventory,
        call.output_dir,
        work_dir,
        stimuli,
        Inputs(work_dir / "fingerprints.json", tell=screen.say),
        may_fetch=call.download_only and not asked.offline,
    )


def _download(plan: Plan, config: Config, screen: Screen) -> int:
    """Fetch what the run needs, and stop."""
    fetch_networks(plan.networks, config, screen)
    screen.say("All that this run needs from the network is there; nothing was run.")
    return DONE


def _work_dir(config: Config) -> Path:
    return (config.run.work_dir or Path.cwd() / "work").absolute()


def _inputs(inventory: Inventory) -> Sequence[Path]:
    roots = [inventory.bids_dir, *inventory.datasets.values()]
    return [root for root in roots if root.is_dir()]


def _refuse_nothing(plan: Plan) -> None:
    """Raise the first problem where no participant has anything to do."""
    problems = [why for subject in plan.subjects for why in subject.problems]
    if problems and not any(subject.jobs for subject in plan.subjects):
        raise problems[0]


def _say_problems(plan: Plan, stages: Stages) -> set[str]:
    failed: set[str] = set()
    for subject in plan.subjects:
        for note in subject.notes:
            stages.screen.warn(f"sub-{subject.subject.participant}: {note}")
        for why in subject.problems:
            stages.screen.fail(f"sub-{subject.subject.participant}: {why}")
            stages.log.add("problem", participant=subject.subject.participant, message=str(why))
            failed.add(subject.subject.participant)
    return failed


def _who(failure: Failure, plan: Plan) -> str:
    for subject in plan.subjects:
        if subject.name in failure.node.split(".")[1:2]:
            return subject.subject.participant
    return "all"


def _phrase(failure: Failure) -> str:
    where = f" (traceback: {failure.crash_file})" if failure.crash_file else ""
    stage = failure.node.split(".")[1:2]
    of = [f" of {name.removeprefix('features_')}" for name in stage if name[:9] == "features_"]
    return f"{doing(failure.node)}{''.join(of)}: {failure.message}{where}"


def _title(subject: SubjectPlan) -> str:
    told = subject.subject
    task = f"task {told.task}, " if told.task else ""
    return f"sub-{told.participant} ({task}space {told.space})"


def _say_matches(plan: Plan, stages: Stages) -> None:
    """Say which stimuli and samples found no partner; the names are in the log and the page."""
    for subject in plan.subjects:
        for job in subject.jobs[:1]:
            if not job.is_there():
                continue
            facts = read_sidecar(job.table())["Facts"].get("ingest", {})
            kinds = ("samples_without_stimulus", "missing_stimuli", "unused_stimuli")
            told = {kind: facts.get(kind) for kind in kinds}
            stages.log.add("matched", participant=subject.subject.participant, **told)
            unused = facts.get("unused_stimuli") or []
            if unused:
                stages.screen.warn(
                    f"sub-{subject.subject.participant}: {len(unused)} pictures were never "
                    f"shown, such as {unused[0]}."
                )


def _not_decoded(subject: SubjectPlan) -> list[str]:
    """Say which comparisons a participant's new results lack; its page has the reasons."""
    made = []
    for job in subject.waiting():
        lost = read_sidecar(job.table())["Facts"].get("not_decoded") if job.is_there() else ()
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            made.append(
                f"sub-{subject.subject.participant}: {job.analysis}: {lost[0]!r}{more}; the page "
                "says why."
            )
    return made


def _finish(
    plan: Plan,
    waiting: Sequence[SubjectPlan],
    failures: Sequence[Failure],
    reports: Sequence[Path],
    screen: Screen,
) -> None:
    for failure in failures:
        who = _who(failure, plan)
        named = "every participant" if who == "all" else f"sub-{who}"
        screen.fail(f"{named}: {_phrase(failure)}")
    made = [
        f"{job.analysis} of {_title(subject)}"
        for subject in waiting
        for job in subject.waiting()
        if job.is_there()
    ]
    left = [f"sub-{s.subject.participant}: {note}" for s in plan.subjects for note in s.notes]
    left += [
        f"sub-{s.subject.participant}: {job.analysis}: {why}"
        for s in plan.subjects
        for job in s.jobs
        if (why := job.why_left_out())
    ]
    left += [text for s in waiting for text in _not_decoded(s)]
    pages_there = [str(p) for p in reports if p.is_file()]
    empty = [s for s in plan.subjects if not any(job.is_there() for job in s.jobs)]
    failed = bool(failures) or bool(empty) or any(s.problems for s in plan.subjects)
    for line in summary(made, left, pages_there, failed=failed):
        screen.say(line)
