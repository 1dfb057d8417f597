"""The training loop: one for every recipe, on CPU or GPU, one process or several.

A run is a folder: ``recipe.json``, ``log.jsonl``, TensorBoard events and the last two checkpoints.
A run that is killed at any step and resumed ends with the same weights, bit by bit, as one that was
not: data and noise are functions of (seed, step, rank), and a checkpoint holds everything else.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from train.engine import checkpoint
from train.engine.optimizer import MuonAdam
from train.engine.runlog import RunLog
from train.engine.task import Task, recipe_values
from train.recipes import Recipe


class Average:
    """Exponential moving average of weights; a warm-up of the decay forgets the start."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Add the weights after a step."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            self.weights[name].lerp_(value, 1 - decay)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate of a step: linear warm-up, then a cosine down to the final rate."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    progress = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return recipe.final_learning_rate + cosine * (recipe.learning_rate - recipe.final_learning_rate)


def optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimiser; Muon takes the weights of ordinary layers."""
    if not recipe.muon:
        return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    matrices = [p for layer in layers for p in layer.parameters(recurse=False) if p.ndim > 1]
    in_muon = set(matrices)
    others = [parameter for parameter in model.parameters() if parameter not in in_muon]
    return MuonAdam(matrices, others, lr=recipe.learning_rate)


class Trainer:
    """Trains a task in a run folder, from the start or from its last checkpoint."""

    def __init__(self, task: Task, run: Path, name: str) -> None:
        self.task, self.run, self.name = task, run, name
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = _device(task.recipe.device)
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        if task.recipe.batch % self.world:
            raise ValueError(
                f"batch is {task.recipe.batch} for {self.world} processes; expected a multiple"
            )
        torch.set_num_threads(task.recipe.threads)
        torch.manual_seed(task.recipe.seed)
        self.model = task.build().to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.model, task.recipe.average)
        self.optimizer = optimizer(self.model, task.recipe)
        self.step = 0

    def start_from(self, path: Path) -> None:
        """Start from the averaged weights of another run's checkpoint."""
        weights = checkpoint.load(path)["average"]
        checkpoint.fill(self.model, weights)
        self.task.settle(self.model)
        self.average = Average(self.model, self.average.decay)

    def resume(self) -> bool:
        """Continue from the run's last checkpoint; False when there is none."""
        path = checkpoint.latest(self.run)
        if path is None:
            return False
        state = checkpoint.load(path)
        checkpoint.fill(self.model, state["model"])
        self.average.weights = {k: v.to(self.device) for k, v in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
        return True

    def save(self) -> None:
        """Write a checkpoint with everything that the next step depends on."""
        if self.rank:
            return
        state: dict[str, Any] = {
            "task": self.name,
            "step": self.step,
            "recipe": recipe_values(self.task.recipe),
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(self.run, self.step, state)

    def train(self) -> str:
        """Run to the last step; return the hash of the averaged weights."""
        recipe = self.task.recipe
        network = self._wrapped()
        with RunLog(self.run, self.step, recipe.steps, quiet=self.rank > 0) as log:
            while self.step < recipe.steps:
                metrics = self._one_step(network, self._batch())
                self.step += 1
                log.step(self.step, metrics)
                if self.step % recipe.checkpoint_every == 0 or self.step == recipe.steps:
                    self.save()
                if self.step % recipe.validate_every == 0 or self.step == recipe.steps:
                    log.validation(self.step, self._validate())
        return checkpoint.weights_hash(self.average.weights)

    def _wrapped(self) -> nn.Module:
        network: nn.Module = self.model
        if self.world > 1:
            network = DistributedDataParallel(network)
        if self.task.recipe.compile:
            network = torch.compile(network)  # type: ignore[assignment]
        return network

    def _batch(self) -> dict[str, Tensor]:
        # Not in a thread: torch's second OpenMP team would spin against the first (measured: a step
        # took 1.6 times as long), and a batch costs 2 % of a step.
        return self.task.batch(self.step, self.rank, self.task.recipe.batch // self.world)

    def _one_step(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        recipe = self.task.recipe
        batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        rate = learning_rate(recipe, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            loss, metrics = self.task.loss(network, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
            self.average.update(self.model, self.step)
        return {"loss": loss.detach(), "gradient_norm": norm.detach(), **metrics}

    def _autocast(self) -> torch.autocast:
        enabled = self.task.recipe.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def _validate(self) -> dict[str, float]:
        if self.rank:
            return {}
        trained = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        self.model.eval()
        try:
            with self._autocast():
                return self.task.validate(self.model, self.device)
        finally:
            self.model.load_state_dict(trained)
            self.model.train()


def write_recipe(run: Path, name: str, recipe: Recipe) -> None:
    """Write ``recipe.json``, for people and for ``--resume``."""
    run.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"recipe": name, **recipe_values(recipe)}, indent=2) + "\n"
    aside = run / f"recipe.json.{os.getpid()}"
    aside.write_text(text, encoding="utf-8")
    aside.replace(run / "recipe.json")


def read_recipe(run: Path, name: str, kind: type[Recipe]) -> dict[str, Any]:
    """Return the fields that a run was started with; none when it has not been started.

    Raises:
        ValueError: the run belongs to another recipe or release, or the file is damaged.
    """
    path = run / "recipe.json"
    if not path.exists():
        return {}
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict) or values.pop("recipe", None) != name:
        raise ValueError(
            f"{path} is not of recipe {name!r}; expected a run of this recipe: see --run"
        )
    unknown = sorted(values.keys() - set(kind.names()))
    if unknown:
        raise ValueError(
            f"{path} has {unknown}, unknown to recipe {name!r}; expected a run of this release"
        )
    return values


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise RuntimeError(f"device is {name!r} but torch sees no GPU; expected 'cpu' or 'auto'")
    local = os.environ.get("LOCAL_RANK")
    return torch.device(f"cuda:{local}" if name == "cuda" and local else name)
