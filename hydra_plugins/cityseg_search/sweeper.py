"""`python train.py -m sweep=search`: Optuna draws the trials that Hydra's launcher runs.

Hydra finds plugins only in modules below `hydra_plugins`, and imports them all at every start:
heavy imports are in functions. (hydra-optuna-sweeper stays with Optuna 2.10.)
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from segmentation.config import task_overrides
from segmentation.errors import check_count
from segmentation.sweep.jobs.directories import claim_directory
from segmentation.sweep.jobs.names import job_name
from segmentation.system.packages import require_extra

if TYPE_CHECKING:
    from segmentation.sweep.search.space import Space
    from segmentation.sweep.search.study import Search

SECRET = "sweep.storage="
FROM_ENVIRONMENT = "sweep.storage=${oc.env:CITYSEG_STORAGE}"


class SearchSweeper(Sweeper):
    """Runs batches of `launcher.jobs` trials until the study has `sweep.trials` of them.

    Args:
        params: ranges by key; the command line overrides them.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self._storage: str | None = None
        self._searched: list[str] = []

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Remove the storage's URL from the configuration, which launchers print and write."""
        self.hydra_context, self.config = hydra_context, config
        self._storage = config.sweep.storage
        with read_write(config), open_dict(config):
            config.sweep.storage = None
            given = task_overrides(config.hydra)
            config.hydra.overrides.task = [word for word in given if not word.startswith(SECRET)]
        # The command to continue is printed from here.
        sys.argv = [FROM_ENVIRONMENT if word.startswith(SECRET) else word for word in sys.argv]
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run trials until there are enough.

        Args:
            arguments: the overrides of the command line.

        Raises:
            ConfigError: an invalid option; no job has been started then.
        """
        from segmentation.cli.sweep import launcher_share
        from segmentation.sweep.jobs.stop import stop_asked

        assert self.config is not None
        assert self.launcher is not None
        require_extra("search", "sweep=search")
        trials = check_count("sweep.trials", self.config.sweep.trials, 1)
        space = self._space([word for word in arguments if not word.startswith(SECRET)])
        directory = Path(self.config.hydra.sweep.dir)
        size = launcher_share(self.config.launcher).jobs
        search = self._search(space, directory)
        print(f"{trials} trials in all", *self._searched, sep="\n  ")
        try:
            while draws := search.next(size, trials):
                folders = [self._directory(draw.overrides, draw.trial.number) for draw in draws]
                for draw, folder in zip(draws, folders, strict=True):
                    search.start(draw, folder)
                self.launcher.launch(
                    [draw.overrides for draw in draws], initial_job_idx=draws[0].trial.number
                )
                search.tell()
                if stop_asked(directory):
                    break
        finally:
            search.close()

    def _space(self, arguments: Sequence[str]) -> "Space":
        """Return the search space, after composing every choice in it."""
        from segmentation.cli.check_jobs import Composer, check_jobs
        from segmentation.sweep.search.space import Space

        assert self.config is not None
        assert self.hydra_context is not None
        ranges = [f"{key}={value}" for key, value in self._params.items()]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*ranges, *arguments])
        space = Space.from_overrides(overrides)
        typed = {override.get_key_element(): override for override in overrides}
        self._searched = [f"{key}: {typed[key].get_value_string()}" for key in space.distributions]
        corners, composer = space.corners(), Composer(self.config)
        for number, corner in enumerate(corners):
            composer.compose(corner, number)
        check_jobs(self.config, dict(enumerate(corners)))
        return space

    def _directory(self, overrides: list[str], number: int) -> Path:
        """Return the directory of a job."""
        from segmentation.cli.check_jobs import Composer

        assert self.config is not None
        hydra = Composer(self.config).compose(overrides, number).hydra
        return claim_directory(Path(hydra.sweep.dir), job_name(overrides), hydra.sweep.subdir)

    def _search(self, space: "Space", directory: Path) -> "Search":
        from segmentation.sweep.search.storage import storage_url
        from segmentation.sweep.search.study import Search

        assert self.config is not None
        options = cast(dict[str, Any], OmegaConf.to_container(self.config.sweep, resolve=True))
        options["pruner"] = self._pruner(options)
        own = "search" if self._storage is None else directory.absolute().name
        search = Search(
            storage_url(self._storage, directory),
            options["study"] or own,
            directory,
            space,
            options["objectives"],
            options["sampler"],
            options["seed"],
            options["pruner"],
        )
        if options["retry"]:
            search.retry()
        return search

    def _pruner(self, options: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the options of the pruner; a default one gives way to typed objectives."""
        assert self.config is not None
        pruner, objectives = options["pruner"], options["objectives"]
        typed = any(word.startswith("sweep.pruner") for word in task_overrides(self.config.hydra))
        if pruner is None or typed or objectives == ["score"]:
            return pruner
        print(f"sweep.pruner gives way to sweep.objectives={objectives}: no trial is stopped early")
        return None
