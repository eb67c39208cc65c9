# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest training that there is, with weights, an optimiser and random numbers, and the smallest bundle.

python scripts/measuring/hostile_training.py FOLDER STEPS [limit=BYTES]     # scripts/measuring/hostile.py kills it
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.common.bundle_files import CARD, INVERSE_GRAPHICS, SEGMENTER, TEMPLATE  # noqa: E402
from backend.common.files import write_json  # noqa: E402
from backend.errors import UnrenderError  # noqa: E402
from backend.models.inverse_graphics import InverseGraphics, InverseGraphicsConfig  # noqa: E402
from backend.models.segmenter import Segmenter, SegmenterConfig, save_segmenter  # noqa: E402
from backend.models.storage import read_tensors, save_network  # noqa: E402
from backend.render.template import TemplateConfig, make_template  # noqa: E402
from backend.training.loop import LoopConfig, Task, run  # noqa: E402

STEPS = 40


@dataclass(frozen=True)
class TinyTraining:
    """Everything that decides a run."""

    width: int = 6


class TinyTask(Task):
    """A network that learns to be the sum of random numbers."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 1))
        self.networks = {"network": self.network}
        self.optimizers = {"network": torch.optim.Adam(self.network.parameters(), 1e-3)}
        self.generator = torch.Generator().manual_seed(0)

    def step(self, step: int) -> dict[str, Tensor]:
        """One step of Adam on eight random points."""
        points = torch.randn(8, 4, generator=self.generator)
        loss = (self.network(points) - points.sum(dim=1, keepdim=True)).square().mean()
        self.optimizers["network"].zero_grad()
        loss.backward()
        self.optimizers["network"].step()
        return {"loss": loss.detach()}

    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        """The size of the weights."""
        return {"size": float(sum(value.float().square().sum() for value in self.network.state_dict().values()))}


def train(out: Path, steps: int, checkpoint_every: int = 10) -> None:
    """Trains on to so many steps, from a checkpoint where there is one."""
    config = LoopConfig(steps, log_every=10, evaluate_every=20, checkpoint_every=checkpoint_every, tensorboard=False)
    run(TinyTask(), config, out, resume=True, describe=TinyTraining())


def checkpoint_of(out: Path) -> dict[str, Tensor]:
    """All tensors of a run's checkpoint."""
    return read_tensors(out / "checkpoint.safetensors")[0]


def go_on(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> bool:
    """Says whether two runs came to the same, bit by bit."""
    return wanted.keys() == found.keys() and all(torch.equal(value, found[name]) for name, value in wanted.items())


def make_bundle(folder: Path) -> None:
    """A bundle of Image to 3D with small untrained networks."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    template = make_template(TemplateConfig(cells_x=4, cells_y=4, cells_z=4))
    template.save(folder / TEMPLATE)
    config = InverseGraphicsConfig(32, (8, 8), 4, 8, 16, (8, 8), 8)
    save_network(folder / INVERSE_GRAPHICS, InverseGraphics(config, template), config, precision="half")
    sizes = SegmenterConfig(resolution=64, channels=(8, 8, 8, 8), blocks=(1, 1, 1, 1))
    save_segmenter(folder / SEGMENTER, Segmenter(sizes))
    texts = {"name": "tiny", "title": "Tiny", "category": "box", "licence": "CC0-1.0"}
    write_json(folder / CARD, {"format": 1, **texts, "real_size": 1.0, "metrics": {"iou": 0.5}})


def main(words: list[str]) -> int:
    """Trains until it is killed, or ended by a limit that the operating system sets."""
    out, steps = Path(words[0]), int(words[1])
    for word in words[2:]:
        if word.startswith("limit="):
            import resource
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails instead, as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(word[6:]), int(word[6:])))
    print("begins", flush=True)
    try:
        train(out, steps, checkpoint_every=1)
    except (UnrenderError, ValueError, OSError) as error:
        print(f"hostile_training: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
