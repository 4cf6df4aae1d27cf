"""Which rank a process is, by what torchrun, SLURM and Lightning say in the environment."""

import pytest
from omegaconf import OmegaConf

from segmentation.cli.resolvers import run_directory
from segmentation.errors import ConfigError
from segmentation.system.ranks import exits_with_parent, external_world_size, launch_id, rank

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none", "RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4",
    "GROUP_WORLD_SIZE": "2",
}  # fmt: skip
SLURM = {
    "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "train",
}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (0, False, None, None)),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, (0, False, None, None)),
        ({"LOCAL_RANK": "2"}, (2, True, None, None)),
        ({"NODE_RANK": "1"}, (1, False, None, None)),
        (TORCHRUN, (3, True, 4, None)),
        ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "a job/1"}, (3, True, 4, "torchrun-a_job_1")),
        ({**TORCHRUN, "RANK": "0", "LOCAL_RANK": "0"}, (0, True, 4, None)),
        (SLURM, (3, False, 4, "slurm-77-0")),
        ({**SLURM, "SLURM_PROCID": "0"}, (0, False, 4, "slurm-77-0")),
        ({**SLURM, "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, (0, False, None, None)),
        ({**SLURM, "SLURM_JOB_NAME": "bash", "LOCAL_RANK": "1"}, (1, True, None, None)),
    ],
)
def test_what_the_environment_says(environment, expected):
    assert (
        rank(environment), exits_with_parent(environment), external_world_size(environment),
        launch_id(environment),
    ) == expected  # fmt: skip


@pytest.mark.parametrize("resume", [None, "auto"])
def test_ranks_that_others_start_share_one_run_directory(monkeypatch, tmp_path, resume):
    cfg = OmegaConf.create({"resume": resume})

    def directory(time, token):
        return run_directory(str(tmp_path), time, "camvid_vgg16", token, cfg)

    assert directory("12-00-00", "ab") == f"{tmp_path}/12-00-00_camvid_vgg16_ab"
    for key, value in TORCHRUN.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(ConfigError, match=r"hydra\.run\.dir=.*--rdzv-id=<name>"):
        directory("12-00-00", "ab")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "night")
    found = {directory("12-00-00", "ab"), directory("12-00-01", "cd")}
    assert found == {f"{tmp_path}/torchrun-night_camvid_vgg16"}


def test_several_tasks_of_slurm_need_srun():
    batch_script = {key: value for key, value in SLURM.items() if key != "SLURM_STEP_ID"}
    with pytest.raises(ConfigError, match=r"4 tasks.*put srun before python"):
        launch_id(batch_script)
