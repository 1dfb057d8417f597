"""Two processes train one network with torch's own data parallelism."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training import camera_recipe
from train import __main__ as command
from train.engine import checkpoint
from train.engine.loop import Trainer
from train.tasks.camera import CameraTask

ROOT = Path(__file__).resolve().parents[1]


def together(run: Path, port: int, *arguments: str) -> list[str]:
    """Train in two processes, as torchrun would start them; return what each printed."""
    processes = []
    for rank in range(2):
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank),
            "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
        }  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "train", "camera", "--run", str(run), *arguments],
                cwd=ROOT, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
    try:
        printed = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, (_, error) in zip(processes, printed, strict=True):
        assert process.returncode == 0, error
    return [out.strip() for out, _ in printed]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_agree_and_resume(picture_folder: Path, tmp_path: Path) -> None:
    data, run = picture_folder, tmp_path / "run"
    options = ["--data", str(data), "--batch=4", "--crop=32", "--width=16", "--deep-width=16",
               "--deep-depth=1", "--threads=1", "--warmup=2", "--checkpoint-every=2",
               "--device=cpu"]  # fmt: skip
    first = together(run, free_port(), *options, "--steps=2")
    assert first[0] == first[1]
    assert first[0].startswith("weights ")
    assert [path.name for path in run.glob("step-*.pt")] == ["step-0000002.pt"]
    assert len((run / "log.jsonl").read_text().splitlines()) == 2
    longer = together(run, free_port(), "--resume", "--steps=4")
    assert longer[0] == longer[1] != first[0]
    state = checkpoint.load(run / "step-0000004.pt")
    assert longer[0] == f"weights {checkpoint.weights_hash(state['average'])}"
    assert not any(name.startswith("module.") for name in state["model"])


def test_a_batch_that_does_not_divide_is_refused(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr("train.engine.loop.dist.is_initialized", lambda: True)
    recipe = camera_recipe(picture_folder, batch=4)
    with pytest.raises(ValueError, match="batch is 4 for 3 processes; expected a multiple"):
        Trainer(CameraTask(recipe), tmp_path / "run", "camera")


def test_a_gpu_that_is_not_there_is_named(
    picture_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data = picture_folder
    arguments = ["camera", "--data", str(data), "--run", str(tmp_path / "run"), "--device", "cuda"]
    assert command.main(arguments) == 1
    assert "device is 'cuda' but torch sees no GPU" in capsys.readouterr().err
