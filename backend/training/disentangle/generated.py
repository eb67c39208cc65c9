# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated pictures of which camera, shape, texture and background are read by the network that judges.

The pictures are those of ``scripts/make_gan_views.py``, every object in all views. A picture's codes follow from its
view and its object's seed, so that only pictures lie on the disk.

Letters: P pictures, K objects, L codes of an image, D length of a code, S styles, R picture, T, B sides of texture and
background, V vertices.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...common.json_files import read_object
from ...common.records import Camera
from ...data.described_pictures import DescribedPictures, to_bytes
from ...data.multi_views import MultiViews, load_multi_views
from ...data.rendered_views import cameras_of_crops
from ...evaluation.silhouettes import boxed
from ...gan_views.objects import content_of
from ...gan_views.view_codes import ViewCodes, load_view_codes
from ...models.inverse_graphics import InverseGraphics
from ...models.picture_reader import cameras_of_pictures
from ...models.style_mapping import StyleMappingConfig, reduced, without_object
from ...models.stylegan2 import Generator
from ...progress_bar import Bar
from ...render.camera import Cameras

CHUNK = 32
"""Pictures that are read at a time."""


def load_generated(
    data: Path,
    generator: Generator,
    network: InverseGraphics,
    cameras: dict[int, Camera] | None,
    sizes: StyleMappingConfig,
    progress: bool = True,
) -> DescribedPictures:
    """Reads a dataset of generated views with the frozen network.

    ``cameras`` (by view) are those that the network's training found, framed as each picture is; without, the camera
    of a picture is what the network reads in it.

    Raises FileNotFoundError or ValueError with one sentence where the data are missing, damaged or another generator's.
    """
    truncation = truncation_of(data)
    views = load_multi_views(data, progress=progress)
    codes = load_view_codes(data)
    codes.check_fits(generator.codes, generator.config.w_dim)
    if views.rgba.shape[1] != generator.config.resolution:
        raise ValueError(f"The pictures in {data} have another size than those of the generator: make them with it.")
    of_views = None
    if cameras is not None:
        unknown = [view.identity for view in views.views if view.identity not in cameras]
        if unknown:
            raise ValueError(f"The run knows no camera of view {unknown[0]}: train inverse-graphics on {data} first.")
        of_views = Cameras.batch([cameras[view.identity] for view in views.views])
    device = next(network.parameters()).device
    texture: list[Tensor] = []
    background: list[Tensor] = []
    shape_code: list[Tensor] = []
    framed: list[Cameras] = []
    with Bar("Reading pictures", len(views.rgba), unit="image", shown=progress) as bar, torch.no_grad():
        for some in torch.arange(len(views.rgba)).split(CHUNK):
            read = _read(views, some, network, of_views, sizes, device)
            shape_code.append(read[0])
            texture.append(read[1])
            background.append(read[2])
            framed.append(read[3])
            bar.update(len(some))
    rgba = torch.from_numpy(views.rgba).permute(0, 3, 1, 2)
    return DescribedPictures(
        pictures=rgba[:, :3].contiguous(),
        masks=rgba[:, 3].contiguous(),
        codes=_codes_of(views, codes, generator, truncation),
        cameras=Cameras.concatenate(framed),
        shape_code=torch.cat(shape_code),
        texture=torch.cat(texture),
        background=torch.cat(background),
        objects=views.objects,
        object_of=torch.cat([torch.full((len(own),), number) for number, own in enumerate(views.objects)]),
    )


def truncation_of(data: Path) -> float:
    """The truncation that a dataset's contents were drawn with. Raises ValueError."""
    try:
        return float(read_object(data / "dataset.json")["truncation"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{data} is no dataset of scripts/make_gan_views.py: {error!r}.") from error


def _read(
    views: MultiViews, some: Tensor, network: InverseGraphics, of_views: Cameras | None, sizes: StyleMappingConfig,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor, Cameras]:  # fmt: skip
    """Shape codes, textures, backgrounds and framed cameras of the numbered pictures."""
    crops = views.crops[some]
    prediction = network(views.cut(some, crops, network.config.image_size).to(device))
    texture = network.texture_decoder(prediction.texture_code)
    vertices = network.shape_decoder(prediction.shape_code)
    side = views.rgba.shape[1]
    if of_views is None:
        in_crops = prediction.cameras()
    else:
        in_crops = boxed(cameras_of_crops(of_views[views.view_of[some]], crops, side).to(device), vertices)
    cameras = cameras_of_pictures(in_crops, crops.to(device), side)
    rgba = torch.from_numpy(views.rgba[some.numpy()]).permute(0, 3, 1, 2).float() / 255
    background = without_object(rgba[:, :3], rgba[:, 3], sizes.background_size)
    return (
        prediction.shape_code.cpu(),
        to_bytes(reduced(texture, sizes.texture_size)),
        to_bytes(background),
        cameras.to("cpu"),
    )


@torch.no_grad()
def _codes_of(views: MultiViews, codes: ViewCodes, generator: Generator, truncation: float) -> Tensor:
    """(P, L, D) w+ of all pictures: their view's code before their object's content."""
    position = {view.identity: place for place, view in enumerate(codes.views)}
    places = torch.tensor([position[view.identity] for view in views.views])
    whole = torch.empty(len(views.rgba), generator.codes, generator.config.w_dim)
    for folder, pictures in zip(views.folders, views.objects, strict=True):
        seed = int(read_object(folder / "object.json")["seed"])
        content = content_of(generator, seed, truncation).cpu().expand(len(pictures), -1, -1)
        whole[pictures] = codes.with_content(places[views.view_of[pictures]], content)
    return whole
