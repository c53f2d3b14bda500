"""A Dockerfile and the user's options to a graph of steps. Pure.

dockerfile = parse_dockerfile(text, name)
images = {image: … for image in needed_images(dockerfile, options)}
graph = make_graph(dockerfile, options, images)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build.attestation.scanned import find_scanned
from orchestra.build.configuration import ImageConfiguration, render_configuration
from orchestra.build.evaluate import evaluate_stage
from orchestra.build.globals import proxy_variables
from orchestra.build.stages import NothingSource, Stages, StageSource
from orchestra.build.state import StageState
from orchestra.build.step import BaseImage, Graph, Result
from orchestra.build.steps import Evaluated, Steps, base_of, label_of, step_count
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.build.dockerfile import Dockerfile
    from orchestra.build.lines import Line
    from orchestra.build.options import Options
    from orchestra.build.rule import Remark
    from orchestra.build.stages import NeededStage

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def needed_images(
    dockerfile: Dockerfile, options: Options, images: Mapping[BaseImage, ImageConfiguration] | None = None
) -> dict[BaseImage, Line]:
    """The images that the target needs, in the order of the file: bases, and those that files are taken from. Each with
    the instruction that names it.

    images: those whose configurations are known. Their ONBUILD triggers may name other images, so a build asks again
    with what it knows until it knows all. Raises DockerfileError.
    """
    stages = Stages(dockerfile, options, images or {})
    stages.refuse()
    return stages.images_needed()


def make_graph(dockerfile: Dockerfile, options: Options, images: Mapping[BaseImage, ImageConfiguration]) -> Graph:
    """images: the configuration of each needed image. Raises DockerfileError."""
    stages = Stages(dockerfile, options, images)
    stages.refuse()
    steps = Steps()
    evaluated = evaluate(stages, steps, lambda _: None)
    stages.refuse()
    done = evaluated[stages.target]
    stage = stages.needed[stages.target]
    configuration = replace(done.configuration, labels={**done.configuration.labels, **options.labels})
    result = Result(
        done.tree,
        done.root,
        render_configuration(configuration),
        done.history,
        configuration.platform or stage.platform,
        configuration.author,
    )
    scanned = find_scanned(stages, evaluated)
    return Graph(tuple(steps.steps), steps.labels, result, frozenset(steps.uncached), scanned)


def evaluate(stages: Stages, steps: Steps, remark: Callable[[Remark], None]) -> dict[int, Evaluated]:
    """Every needed stage, by its index. Mistakes are reported to ``stages``."""
    proxies = proxy_variables(stages.options.arguments)
    done: dict[int, Evaluated] = {}
    for index, stage in stages.needed.items():
        begun = _begin(stages, stage, steps, done)
        done[index] = evaluate_stage(StageState(stages, stage, begun, steps, done, proxies, remark))
    return done


def _begin(stages: Stages, stage: NeededStage, steps: Steps, done: Mapping[int, Evaluated]) -> Evaluated:
    if isinstance(stage.base, StageSource):
        before = done[stage.base.index]
        # The triggers of the base are the first instructions of this stage: they do not go on.
        return replace(before, configuration=replace(before.configuration, on_build=()))
    tree = base_of(stage.base, steps, done)
    if isinstance(stage.base, BaseImage):
        known = stages.images.get(stage.base)
        configuration = replace(known, on_build=()) if known else ImageConfiguration()
        label = label_of(
            stages, stage, (1, step_count(stage)), f"FROM {stage.base.reference}", stage.stage.beginning.line
        )
        steps.labels.setdefault(tree, label)
    else:
        known = ImageConfiguration()
        configuration = ImageConfiguration(
            working_directory="/" if isinstance(stage.base, NothingSource) else "", platform=stage.platform
        )
    if "PATH" not in dict(configuration.environment):
        configuration = replace(configuration, environment=(*configuration.environment, ("PATH", DEFAULT_PATH)))
    return Evaluated(tree, tree, configuration, dict(configuration.environment), is_known=known is not None)
