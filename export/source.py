"""What is exported: a checkpoint's averaged weights, its recipe, and where the bundle goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from train.engine import checkpoint


@dataclass(frozen=True)
class Source:
    """A checkpoint to export.

    Attributes:
        task: the recipe's name, ``photo`` or ``camera``.
        recipe: its fields.
        weights: the averaged weights.
        steps: how long they were trained.
        folder: where the bundle goes.
        name: the bundle's name.
        int8: whether a codec or a denoiser gets its variant in 8 bits.
        still: the bundle whose denoiser a recurrent one takes for frames that have no past.
    """

    task: str
    recipe: dict[str, Any]
    weights: dict[str, Tensor]
    steps: int
    folder: Path
    name: str
    int8: bool = True
    still: str | None = None

    @classmethod
    def read(
        cls,
        run: str,
        folder: Path | None,
        name: str | None,
        *,
        int8: bool = True,
        still: str | None = None,
    ) -> Self:
        """Read a run folder's last checkpoint, a checkpoint file or a shipped one by name.

        Raises:
            FileNotFoundError: there is none.
        """
        path = checkpoint.find(run)
        state = checkpoint.load(path)
        return cls(
            task=state["task"],
            recipe=state["recipe"],
            weights=state["average"],
            steps=int(state["step"]),
            folder=folder or _default_folder(path),
            name=name or state["task"],
            int8=int8,
            still=still,
        )

    def save_weights(self, path: Path) -> None:
        """Write the checkpoint without its optimiser, to fine-tune or export from."""
        checkpoint.save_weights(path, self.task, self.steps, self.recipe, self.weights)

    def provenance(self) -> dict[str, str | int | float]:
        """Return where the weights come from, for the manifest."""
        data = Path(self.recipe["data"]).name or "photos"
        return {
            "data": f"folder {data!r}, a twentieth of it kept for validation",
            "licence": "Apache-2.0",
            "recipe": self.task,
            "seed": int(self.recipe["seed"]),
            "steps": self.steps,
            "weights_sha256": checkpoint.weights_hash(self.weights),
        }


def _default_folder(path: Path) -> Path:
    shipped = path.parent == checkpoint.SHIPPED
    return (Path("runs") / path.stem if shipped else path.parent) / "bundle"
