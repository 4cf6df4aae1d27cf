"""What ranks ask each other, in real processes joined by gloo; and what is refused."""

import multiprocessing
import os

import hydra
import pytest
import torch
import torch.distributed as dist
from omegaconf import OmegaConf

from segmentation.build.trainer import trainer_options
from segmentation.config import CONF, flat
from segmentation.errors import ConfigError, TrainingError
from segmentation.training import distributed
from segmentation.training.losses.base import over_ranks

CONFIG = {"seed": 0, "data": {"batch_size": 8, "size": None}, "list": [1, 2]}


class World:
    def __init__(self, ranks):
        self.world_size = ranks


def in_processes(function, arguments, tmp_path):
    """Call a function in as many processes as there are arguments; return what each said."""
    context = multiprocessing.get_context("fork")  # spares the seconds that imports take
    answers = context.Queue()

    def work(rank):
        torch.set_num_threads(1)
        dist.init_process_group(
            "gloo", init_method=f"file://{tmp_path}/meet", rank=rank, world_size=len(arguments)
        )
        try:
            answers.put((rank, function(*arguments[rank])))
        except Exception as error:
            answers.put((rank, error))
        dist.barrier()
        dist.destroy_process_group()

    workers = [context.Process(target=work, args=(rank,)) for rank in range(len(arguments))]
    for worker in workers:
        worker.start()
    try:
        found = dict(answers.get(timeout=60) for _ in workers)
        for worker in workers:
            worker.join(30)
            assert worker.exitcode == 0
    finally:
        for worker in workers:
            worker.kill()
    return [found[rank] for rank in range(len(arguments))]


def compare(config, ranks):
    distributed.SameConfiguration(config).setup(World(ranks), None, "fit")
    return "the same"


def test_the_same_configuration_is_let_through(tmp_path):
    assert in_processes(compare, [(CONFIG, 2), (dict(reversed(CONFIG.items())), 2)], tmp_path) == [
        "the same", "the same",
    ]  # fmt: skip
    assert compare(CONFIG, 1) == "the same"


def test_another_configuration_stops_every_rank_and_names_the_keys(tmp_path):
    other = {"seed": 0, "data": {"batch_size": 4, "size": None}, "list": [1, 3], "more": 1}
    found = in_processes(compare, [(CONFIG, 3), (CONFIG, 3), (other, 3)], tmp_path)
    for error in found:
        assert isinstance(error, TrainingError)
        assert "rank 2 and rank 0 have different configurations" in str(error)
        assert "configurations: data.batch_size, list, more." in str(error)


def ask(value):
    sums = over_ranks(torch.tensor([1.0 + value]), torch.full((2, 2), float(value)))
    return [one.tolist() for one in sums]


def test_sums_over_ranks_go_by_gloo(tmp_path):
    expected = [[7.0], [[5.0, 5.0], [5.0, 5.0]]]
    assert in_processes(ask, [(5,), (0,)], tmp_path) == [expected, expected]


# ---- options


def options(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return trainer_options(hydra.compose("train", [*overrides]).trainer)


def test_sync_batchnorm_on_a_cpu_is_refused():
    with pytest.raises(ConfigError, match=r"=true needs GPUs.*decoder\.norm=group"):
        options("trainer=ddp_cpu", "trainer.sync_batchnorm=true")
    assert options("trainer=ddp_cpu")["sync_batchnorm"] is False


@pytest.mark.parametrize(
    ("overrides", "here", "all_of_them"),
    [
        (["trainer=cpu"], 1, 1),
        (["trainer=ddp_cpu"], 2, 2),
        (["trainer=ddp_cpu", "trainer.devices=3", "trainer.num_nodes=2"], 3, 6),
    ],
)
def test_how_many_processes_train(overrides, here, all_of_them):
    found = options(*overrides)
    assert distributed.processes_here(found) == here
    assert distributed.check_processes(found) == all_of_them
    assert found.get("strategy", "none") == ("none" if all_of_them == 1 else "ddp")


@pytest.mark.parametrize("devices", ["many", "0", "-2", "1.5"])
def test_a_number_of_devices_that_is_none_is_refused(devices):
    with pytest.raises(ConfigError, match=r"trainer\.devices=.*(pass a number|expected)"):
        options("trainer=ddp_cpu", f"trainer.devices={devices}")


def test_another_number_of_processes_than_torchrun_started_is_refused(monkeypatch):
    for key, value in {"TORCHELASTIC_RUN_ID": "a", "RANK": "0", "WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(ConfigError, match=r"started 3 processes, but .* is 2"):
        options("trainer=ddp_cpu")
    options("trainer=ddp_cpu", "trainer.devices=3")


def test_in_a_slurm_job_of_one_task_lightning_starts_the_ranks(monkeypatch):
    assert distributed.cluster() == []
    monkeypatch.setenv("SLURM_NTASKS", "1")
    (environment,) = distributed.cluster()
    assert not environment.creates_processes_externally
    for key, value in {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_ID": "0",
                       "SLURM_PROCID": "1"}.items():  # fmt: skip
        monkeypatch.setenv(key, value)
    (environment,) = distributed.cluster()
    assert environment.creates_processes_externally
    assert environment.global_rank() == 1
    assert not environment.auto_requeue


def test_rank_zero_tells_those_it_starts_whom_to_watch(monkeypatch):
    watched = []
    monkeypatch.setattr(
        distributed, "exit_with_parent", lambda parent, grace: watched.append((parent, grace))
    )
    monkeypatch.delenv(distributed.RANK_ZERO, raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    distributed.watch_parent()
    assert watched == []
    assert os.environ[distributed.RANK_ZERO] == str(os.getpid())
    monkeypatch.setenv("LOCAL_RANK", "1")
    distributed.watch_parent()
    assert watched == [(os.getpid(), distributed.ORPHAN_GRACE)]
    assert (
        max(distributed.ORPHAN_GRACE, distributed.RANK_ZERO_GRACE) < 50
    )  # within a minute all have ended


def test_nested_values_by_dotted_names():
    cfg = OmegaConf.to_container(OmegaConf.create({"a": {"b": {"c": 1}, "d": {}}, "e": [{"f": 2}]}))
    assert flat(cfg) == {"a.b.c": 1, "a.d": {}, "e": [{"f": 2}]}
