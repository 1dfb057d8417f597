"""The input of an export: averaged weights, their recipe, and the bundle's name and folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from train.data.licences import by_collection
from train.data.photographs import data_folder, listed, split
from train.engine import checkpoint
from venturi._bundle.load import locate
from venturi._bundle.manifest import Manifest, Parent, Pictures

FIRST_VERSION = "0.1.0"
"""Of a model that nobody has given another."""


@dataclass(frozen=True)
class Source:
    """A checkpoint to export.

    Attributes:
        task: the name of the recipe, such as ``photo``.
        recipe: its fields.
        weights: the averaged weights.
        steps: optimiser steps of the training.
        folder: of the bundle.
        name: the bundle's name.
        int8: whether a codec or denoiser gets an 8-bit variant.
        still: the bundle whose denoiser a recurrent one uses for frames without a past.
        version: of the model.
        parent: the model whose weights the training began with, or None.
    """

    task: str
    recipe: dict[str, Any]
    weights: dict[str, Tensor]
    steps: int
    folder: Path
    name: str
    int8: bool = True
    still: str | None = None
    version: str = FIRST_VERSION
    parent: Parent | None = None

    @classmethod
    def read(
        cls,
        run: str,
        folder: Path | None,
        name: str | None,
        *,
        int8: bool = True,
        still: str | None = None,
        version: str = FIRST_VERSION,
        parent: str | None = None,
    ) -> Self:
        """Read a run folder's last checkpoint, a checkpoint file or a shipped one by name.

        The parent is named by its bundle: the name of a shipped one, or a path.

        Raises:
            FileNotFoundError: there is none.
            BundleError: the parent is no bundle.
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
            version=version,
            parent=None if parent is None else parent_of(Manifest.load(locate(parent))),
        )

    def save_weights(self, path: Path) -> None:
        """Write the checkpoint without its optimiser, to fine-tune or export from."""
        checkpoint.save_weights(path, self.task, self.steps, self.recipe, self.weights)

    def provenance(self) -> dict[str, str | int | float]:
        """Return where the weights come from, for the manifest."""
        return {
            "licence": "Apache-2.0",
            "recipe": self.task,
            "seed": int(self.recipe["seed"]),
            "steps": self.steps,
            "weights_sha256": checkpoint.weights_hash(self.weights),
        }

    def photographs(self) -> tuple[Pictures, ...]:
        """Return the photographs that the recipe trains on, by collection; none where they are not.

        Those that are kept for validation are not among them.
        """
        try:
            data = self.recipe["data"]
            training, _ = split(listed(Path(data) if data else data_folder() / "photos"))
        except FileNotFoundError:
            return ()
        return by_collection(training)


def parent_of(manifest: Manifest) -> Parent:
    """Return what a manifest says of a model that is trained on from its bundle's."""
    weights = str(manifest.provenance.get("weights_sha256"))
    return Parent(manifest.name, manifest.version, weights)


def _default_folder(path: Path) -> Path:
    shipped = path.parent == checkpoint.SHIPPED
    return (Path("runs") / path.stem if shipped else path.parent) / "bundle"
