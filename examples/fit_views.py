# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds shape, texture and cameras of an object from a few pictures of it, by optimisation through the renderer alone.

    python examples/render_views.py --out VIEWS            pictures of Blender's monkey, or of --mesh FILE
    python examples/fit_views.py --data VIEWS --out DIR [--views 8] [--camera-error-deg 10] [--renderer boundary|dibr]

A template of 2,210 vertices is laid over every other picture. It begins as a ball in plain grey, and every camera
begins turned by ``--camera-error-deg`` about an axis of its own across its line of sight. What is known: the field of
view, the masks, and that all cameras look at one point. Colour and silhouette do the rest, from coarse to fine.

Object and cameras can turn and scale together without any picture changing. So before cameras are compared, and before
the pictures that were not used are rendered through their true cameras, that one rotation and scale is taken out.

Writes fit.png (Blender's picture above, ours below, used and unused views), fit.json (the figures) and fit.npz.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from backend.common.records import Camera
from backend.render.camera import Cameras, world_to_camera_rotation
from backend.render.mesh_losses import MeshTopology, flatness_loss, silhouette_iou, silhouette_loss
from backend.render.picture import HARD, RenderConfig, render
from backend.render.shading import Texture
from backend.render.soft_mask import SoftMaskConfig
from backend.render.template import TemplateConfig, make_template


@dataclass(frozen=True)
class Stage:
    """One pass from rough to fine."""

    size: int
    """Side of the pictures that are compared."""
    share: float
    """Of all steps."""
    texture: int
    """Side of the texture: what one view alone can paint is held against the others only while texels are large."""
    stiffness: float
    """How far a pull on one vertex spreads: lambda of (I + lambda L)^-1, L being the mesh's graph Laplacian."""
    vertex_rate: float
    camera_rate: float
    camera_from: float = 0.0
    """Share of the pass after which cameras move: against a grey ball they would run anywhere."""


STAGES = (
    Stage(32, 0.25, 24, 80.0, 0.02, 0.01, camera_from=0.5),
    Stage(32, 0.25, 24, 80.0, 0.02, 0.01),
    Stage(64, 0.25, 64, 25.0, 0.01, 0.02),
    Stage(128, 0.25, 128, 8.0, 0.005, 0.012),
)
SEARCHES = 3
"""After so many of the stages every camera is looked for around its place, lest one stay in a wrong valley; each time
on a grid half as wide as before."""
SEARCHED_DEG = (-16.0, -8.0, 0.0, 8.0, 16.0)
SEARCHED_ROLL_DEG = (-16.0, -8.0, 0.0, 8.0, 16.0)
TEXTURE_RATE = 0.03
FLATNESS = 0.01


@dataclass
class Views:
    """Pictures of one object."""

    rgba: Tensor
    """(M, 4, R, R) in [0, 1], colour multiplied by the mask."""
    cameras: Cameras

    def __getitem__(self, index: Tensor) -> Views:
        return Views(self.rgba[index], self.cameras[index])

    def at(self, size: int) -> Tensor:
        """(M, 4, size, size)."""
        return F.interpolate(self.rgba, size=(size, size), mode="area")

    def beside_silhouettes(self, size: int) -> Tensor:
        """(M, size, size): what the boundary renderer's mask is of the true outline, 1 inside and falling to 0 within
        a pixel outside. Comparing it with plain coverage would ask for an object half a pixel thinner."""
        factor = 4
        fine = F.interpolate(self.rgba[:, 3:], size=(factor * size, factor * size), mode="bilinear")[:, 0]
        result = []
        for mask in (fine < 0.5).numpy().astype(np.uint8):
            distance = np.maximum(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5, 0) / factor
            # A coarse pixel's centre lies between its four middle fine ones.
            middle = torch.as_tensor(distance).unflatten(1, (-1, factor)).unflatten(0, (-1, factor))[:, 1:3, :, 1:3]
            result.append((1 - middle.mean(dim=(1, 3))).clamp(0, 1))
        return torch.stack(result)


class Unknowns:
    """What is looked for; all but the fields of view and the principal points."""

    def __init__(self, start: Cameras) -> None:
        template = make_template(TemplateConfig(proportions=(0.8, 0.8, 0.8), roundness=2.0))
        self.template = template.with_vertices(template.vertices * 0.8)
        self.triangles = torch.as_tensor(self.template.triangles).long()
        self.triangle_uv = torch.as_tensor(self.template.triangle_uv)
        self.chart_bounds = torch.as_tensor(self.template.chart_bounds)
        self.vertices = torch.as_tensor(self.template.vertices)
        self.texture = torch.full((1, 3, 8, 8), 0.5)
        self.start = start
        names = ("azimuth", "elevation", "roll", "distance")
        self.pose = {name: getattr(start, name).clone() for name in names}
        self.pose["distance"] = self.pose["distance"].log()
        for value in self.pose.values():
            value.requires_grad_()

    def cameras(self) -> Cameras:
        pose = self.pose
        fixed = self.start.field_of_view, self.start.shift_x, self.start.shift_y
        return Cameras(pose["azimuth"], pose["elevation"], pose["distance"].exp(), pose["roll"], *fixed)

    def picture(self, vertices: Tensor, cameras: Cameras, size: int, config: RenderConfig):
        count = len(cameras)
        image = self.texture.clamp(0, 1).expand(count, -1, -1, -1)
        material = Texture(self.triangle_uv, image, self.chart_bounds)
        return render(vertices.expand(count, -1, -1), self.triangles, material, None, cameras, size, size, config)


def read_views(folder: Path) -> Views:
    """Raises ValueError in one sentence where the folder is of no use."""
    try:
        records = json.loads((folder / "views.json").read_text(encoding="utf-8"))["views"]
        pictures = []
        for record in records:
            rgba = np.asarray(Image.open(folder / record["file"]).convert("RGBA"), dtype=np.float32) / 255
            pictures.append(torch.as_tensor(rgba).permute(2, 0, 1))
        packed = torch.stack(pictures)
        cameras = Cameras.batch([Camera(**record["camera"]) for record in records])
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{folder} holds no views of render_views.py that can be read: {error}") from error
    return Views(torch.cat([packed[:, :3] * packed[:, 3:], packed[:, 3:]], dim=1), cameras)


def turned(cameras: Cameras, degrees: float, generator: torch.Generator) -> Cameras:
    """Cameras (N) whose directions lie so many degrees off, each to a side of its own, and distances a little."""
    right, up, backward = world_to_camera_rotation(cameras).unbind(dim=1)
    side = 2 * math.pi * torch.rand(len(cameras), 1, generator=generator)
    angle = math.radians(degrees)
    direction = math.cos(angle) * backward + math.sin(angle) * (side.cos() * right + side.sin() * up)
    azimuth = torch.atan2(direction[:, 0], -direction[:, 1])
    distance = cameras.distance * (1 + 0.03 * (2 * torch.rand(len(cameras), generator=generator) - 1))
    return Cameras(
        azimuth, direction[:, 2].asin(), distance, cameras.roll, cameras.field_of_view, cameras.shift_x, cameras.shift_y
    )


def common_rotation(found: Cameras, true: Cameras) -> Tensor:
    """(3, 3) the rotation of the world that brings the found cameras nearest to the true ones."""
    moment = world_to_camera_rotation(true).transpose(1, 2) @ world_to_camera_rotation(found)
    left, _, right = torch.linalg.svd(moment.sum(dim=0))
    proper = torch.diag(torch.tensor([1.0, 1.0, torch.det(left @ right).detach().item()]))
    return left @ proper @ right


def camera_errors_deg(found: Cameras, true: Cameras) -> Tensor:
    """(N,) angles between the found cameras' orientations and the true ones, the common rotation taken out."""
    turned_back = world_to_camera_rotation(found) @ common_rotation(found, true).T
    trace = (turned_back * world_to_camera_rotation(true)).sum(dim=(1, 2))
    return ((trace - 1) / 2).clamp(-1, 1).acos().rad2deg()


def config_for(renderer: str, size: int) -> RenderConfig:
    soft = SoftMaskConfig(sigma_inverse=(0.5 * size) ** 2, box_length=3.6 / size)
    return RenderConfig(renderer=renderer, soft=soft)


def fit(views: Views, start: Cameras, renderer: str, steps: int, progress: bool = True) -> tuple[Unknowns, Tensor]:
    """Optimises everything; returns it with the vertices (V, 3) found."""
    unknowns = Unknowns(start)
    topology = MeshTopology.of(unknowns.template.edges, unknowns.template.triangles, len(unknowns.template.vertices))
    bar = tqdm(total=steps, unit="step", disable=not progress)
    vertices = unknowns.vertices
    for number, stage in enumerate(STAGES):
        vertices = run_stage(unknowns, vertices, topology, views, stage, renderer, round(stage.share * steps), bar)
        if number < SEARCHES:
            search_cameras(unknowns, vertices, views, stage.size, 0.5**number)
    bar.close()
    return unknowns, vertices


def run_stage(
    unknowns: Unknowns, vertices: Tensor, topology: MeshTopology, views: Views, stage: Stage, renderer: str,
    steps: int, bar: tqdm,
) -> Tensor:  # fmt: skip
    spread = spreading(topology, len(vertices), stage.stiffness)
    pull = torch.zeros_like(vertices).requires_grad_()
    target = views.at(stage.size)
    mask = views.beside_silhouettes(stage.size) if renderer == "boundary" else target[:, 3]
    config = config_for(renderer, stage.size)
    texture = F.interpolate(unknowns.texture.detach(), size=(stage.texture, stage.texture), mode="bilinear")
    unknowns.texture = texture.clamp(0, 1).requires_grad_()
    optimizer = torch.optim.Adam(
        [
            {"params": [pull], "lr": stage.vertex_rate},
            {"params": [unknowns.texture], "lr": TEXTURE_RATE},
            {"params": list(unknowns.pose.values()), "lr": stage.camera_rate},
        ],
        betas=(0.9, 0.98),
    )

    def falling(step: int) -> float:
        return 0.1 + 0.45 * (1 + math.cos(math.pi * step / max(1, steps)))

    def late(step: int) -> float:
        return falling(step) if step >= stage.camera_from * steps else 0.0

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [falling, falling, late])
    for _ in range(steps):
        moved = vertices + spread @ pull
        picture = unknowns.picture(moved[None], unknowns.cameras(), stage.size, config)
        # Colours are compared where both pictures show the object: the outline is the masks' business.
        both = (picture.fragments.face_index >= 0) & (target[:, 3] > 0.95)
        colour = ((picture.rgb - target[:, :3]).abs().mean(dim=1) * both).sum() / both.sum().clamp(min=1)
        outline = silhouette_loss(picture.mask, mask) + 10 * ((picture.mask - mask) ** 2).mean()
        loss = outline + 3 * colour + FLATNESS * flatness_loss(moved[None], topology)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.update()
        bar.set_postfix(pixels=stage.size, loss=f"{loss.item():.4f}", colour=f"{colour.item():.4f}")
    return (vertices + spread @ pull).detach()


@torch.no_grad()
def search_cameras(unknowns: Unknowns, vertices: Tensor, views: Views, size: int, width: float) -> None:
    """Moves each camera to where, on a grid of turns around its own, its picture fits best."""
    target = views.at(size)
    best = torch.full((len(views.cameras),), torch.inf)
    own = unknowns.cameras()
    chosen = {name: getattr(own, name).clone() for name in ("azimuth", "elevation", "roll")}
    for azimuth, elevation, roll in itertools.product(SEARCHED_DEG, SEARCHED_DEG, SEARCHED_ROLL_DEG):
        moved = replace(
            own,
            azimuth=own.azimuth + math.radians(width * azimuth),
            elevation=own.elevation + math.radians(width * elevation),
            roll=own.roll + math.radians(width * roll),
        )
        picture = unknowns.picture(vertices[None], moved, size, HARD)
        wrong = (picture.rgb - target[:, :3]).abs().sum(dim=(1, 2, 3)) / 3
        wrong = wrong + (picture.mask - target[:, 3]).abs().sum(dim=(1, 2))
        better = wrong < best
        best = torch.where(better, wrong, best)
        for name, value in chosen.items():
            chosen[name] = torch.where(better, getattr(moved, name), value)
    for name, value in chosen.items():
        unknowns.pose[name].data.copy_(value)


def spreading(topology: MeshTopology, count: int, stiffness: float) -> Tensor:
    """(V, V) of (I + stiffness L)^-1: what a vertex is pulled by moves its surroundings along with it."""
    laplacian = torch.diag(topology.degree[:, 0])
    a, b = topology.edges.unbind(dim=1)
    laplacian[a, b] = laplacian[b, a] = -1.0
    return torch.linalg.inv(torch.eye(count) + stiffness * laplacian)


@torch.no_grad()
def judge(unknowns: Unknowns, vertices: Tensor, used: Views, unused: Views) -> tuple[dict[str, float], Tensor]:
    """Figures, and the sheet (3, H, W) of pictures."""
    found = unknowns.cameras()
    scale = (used.cameras.distance.log() - found.distance.log()).mean().exp()
    aligned = scale * vertices @ common_rotation(found, used.cameras).T
    size = STAGES[-1].size
    ours = unknowns.picture(vertices[None], found, size, HARD)
    unseen = unknowns.picture(aligned[None], unused.cameras, size, HARD)
    targets, unseen_targets = used.at(size), unused.at(size)
    iou = silhouette_iou(unseen.mask, (unseen_targets[:, 3] > 0.5).float())
    both = (unseen.mask > 0.5) & (unseen_targets[:, 3] > 0.95)
    error = ((unseen.rgb - unseen_targets[:, :3]) ** 2).mean(dim=1)[both].mean()
    before, after = camera_errors_deg(unknowns.start, used.cameras), camera_errors_deg(found, used.cameras)
    figures = {
        "iou_unused_views": iou.mean(),
        "iou_unused_views_lowest": iou.min(),
        "iou_used_views": silhouette_iou(ours.mask, (targets[:, 3] > 0.5).float()).mean(),
        "psnr_unused_views": -10 * error.log10(),
        "camera_error_deg_before": before.mean(),
        "camera_error_deg": after.mean(),
        "camera_error_deg_largest": after.max(),
    }
    rows = [targets[:, :3], ours.rgb, unseen_targets[:, :3], unseen.rgb]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    return {name: float(value) for name, value in figures.items()}, sheet


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="fit_views.py", description="Shape, texture and cameras from pictures.")
    parser.add_argument("--data", type=Path, required=True, help="folder written by render_views.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=int, default=8, help="pictures that are used; as many others judge")
    parser.add_argument("--camera-error-deg", type=float, default=10.0)
    parser.add_argument("--renderer", choices=("boundary", "dibr"), default="boundary")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        views = read_views(options.data)
    except ValueError as error:
        print(f"fit_views.py: {error}", file=sys.stderr)
        return 2
    if len(views.cameras) < 2 * options.views or options.views < 2:
        print(
            f"fit_views.py: {options.data} has {len(views.cameras)} views; twice --views are needed.", file=sys.stderr
        )
        return 2
    started = time.perf_counter()
    # Every other one, so that used and unused views lie all around.
    chosen = torch.linspace(0, len(views.cameras) - 1, 2 * options.views).round().long()
    used, unused = views[chosen[::2]], views[chosen[1::2]]
    start = turned(used.cameras, options.camera_error_deg, torch.Generator().manual_seed(options.seed))
    unknowns, vertices = fit(used, start, options.renderer, options.steps)
    figures, sheet = judge(unknowns, vertices, used, unused)
    figures["seconds"] = time.perf_counter() - started
    options.out.mkdir(parents=True, exist_ok=True)
    pixels = (sheet.clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(options.out / "fit.png")
    (options.out / "fit.json").write_text(json.dumps({"renderer": options.renderer, **figures}, indent=1) + "\n")
    texture = unknowns.texture.detach()[0].clamp(0, 1).permute(1, 2, 0).numpy()
    np.savez(options.out / "fit.npz", vertices=vertices.numpy(), faces=unknowns.template.quads,
             uv=unknowns.template.uv, texture=texture)  # fmt: skip
    for name, value in figures.items():
        print(f"{name:28s} {value:8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
