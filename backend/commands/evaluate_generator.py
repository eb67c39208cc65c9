# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a StyleGAN2 generator against real images, and shows what it makes.

    python -m backend.commands.evaluate_generator --generator BUNDLE_OR_FILE --data IMAGES --report FILE [options]

The report has Fréchet and kernel distance, precision and recall on the features of our own encoder, whose figures are
named after it and cannot be compared with published ones; with ``--inception FILE`` also FID, KID, precision and recall
as they are published. All of them depend on the number of images and, more or less, on chance. Hence ``reference``: two
halves of the real images, drawn by chance, are compared with each other, which is what a perfect generator would
get, and as many generated images with the first half.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.files import replacing
from .entry import guarded, use_threads
from .outputs import write_picture, write_report

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from ..data.images import ImageSet, ImageSetConfig
    from ..evaluation.features import FeatureNetwork
    from ..weights.generator_bundle import LoadedGenerator

PROGRAM = "evaluate_generator.py"
FRAMES_A_SECOND = 30
TRUNCATIONS = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2)
VIEW_LAYERS = 4
"""Codes taken from the rows of the style-mixing grid: the coarse ones, which say most of the view."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Judges a StyleGAN2 generator.")
    parser.add_argument(
        "--generator", required=True, help="name or folder of a bundle, a run's folder, or a generator.safetensors"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder or zip of real images")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what it makes")
    parser.add_argument("--video", action="store_true", help="also write interpolation.mp4 there")
    parser.add_argument("--inception", type=Path, metavar="FILE", help="weights of FID's Inception network")
    parser.add_argument("--samples", type=int, default=2000, help="how many images to generate")
    parser.add_argument("--real", type=int, default=0, metavar="N", help="how many real images, by chance; 0: all")
    parser.add_argument("--truncation", type=float, default=1.0, metavar="PSI", help="for figures, grid, film")
    parser.add_argument("--alpha", help="what lies behind transparent pixels, as in training: black, plain or ignore")
    parser.add_argument("--crop", type=float, help="side of a square about what is opaque, as in training; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if options.samples < 8 or options.real < 0 or 0 < options.real < 8 or options.batch < 1:
        parser.error("at least 8 samples, 8 real images and a batch of 1 are needed")
    if options.video and options.pictures is None:
        parser.error("--video needs --pictures")
    return options


def main(arguments: list[str]) -> int:
    """Judges the generator, and prints its figures beside the reference; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Judges as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    use_threads(options.threads)
    report = evaluate(options)
    for name, value in report["figures"].items():
        print(f"{name:18} {value:10.4f}   {report['reference']['figures'][name]:10.4f} between two halves of the real")
    return 0


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Writes report and pictures, and returns the report. Raises UnrenderError, ValueError or OSError."""
    from ..data.images import load_images
    from ..weights.bundle import choose_device
    from ..weights.run_folder import load_generator_or_run

    started = time.monotonic()
    device = choose_device(options.device)
    loaded = load_generator_or_run(options.generator, device)
    config = image_config(options, loaded)
    if loaded.info and config.content()[2:] != loaded.content[2:]:
        raise ValueError(f"Content {loaded.content} that touches no side of the generator's square is not judged.")
    if not loaded.info:
        loaded = dataclasses.replace(loaded, content=config.content())
    networks = feature_networks(options, device)
    with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
        images = load_images(options.data, config, Path(folder) / "real.npy")
        report = judge(options, loaded, networks, images)
    report["seconds"] = round(time.monotonic() - started, 1)
    write_report(options.report, report)
    if options.pictures is not None:
        write_pictures(options, loaded)
    return report


def feature_networks(options: argparse.Namespace, device: Any) -> list[FeatureNetwork]:
    """Returns our own network, and Inception where its weights are given. Raises ValueError."""
    from ..evaluation.features import encoder_features
    from ..evaluation.inception import inception_features

    networks: list[FeatureNetwork] = [encoder_features(device)]
    if options.inception is not None:
        networks.append(inception_features(options.inception, device))
    return networks


def judge(
    options: argparse.Namespace, loaded: LoadedGenerator, networks: list[FeatureNetwork], images: ImageSet
) -> dict[str, Any]:
    """Returns the report: the figures of all networks in one, since their names differ. Raises ValueError."""
    import torch

    from ..evaluation.features import judged

    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(options.seed))
    chosen = chosen[: options.real or len(images)]
    if len(chosen) < 8:
        raise ValueError(f"At least 8 real images are needed, and {options.data} has {len(chosen)}.")
    real = features(networks, real_batches(images, loaded, chosen.numpy(), options.batch), len(chosen), "Real images")
    made = features(networks, generated_batches(options, loaded), options.samples, "Generated images")
    half = min(len(chosen) // 2, options.samples)
    report: dict[str, Any] = {
        "generator": loaded.name,
        "data": str(options.data),
        "images": dataclasses.asdict(images.config),
        "networks": [network.name for network in networks],
        "real": len(chosen),
        "samples": options.samples,
        "truncation": options.truncation,
        "seed": options.seed,
        "figures": {},
        "reference": {"images": half, "figures": {}, "generated": {}},
    }
    for network, a, b in zip(networks, real, made, strict=True):
        report["figures"] |= judged(network, a, b, options.seed)
        report["reference"]["figures"] |= judged(network, a[:half], a[half : 2 * half], options.seed)
        report["reference"]["generated"] |= judged(network, a[:half], b[:half], options.seed)
    return report


def image_config(options: argparse.Namespace, loaded: LoadedGenerator) -> ImageSetConfig:
    """Returns how the data take the shape of the generator's pictures. Raises ValueError where they cannot."""
    from ..data.images import ImageSetConfig

    _, _, height, width = loaded.content
    known: dict[str, Any] = {"resolution": loaded.generator.config.resolution, "aspect": width / height}
    # A bundle says in its card, a training run in its settings, how it saw its images.
    known |= loaded.info.get("images", {})
    # Views with their mask as alpha were rendered with their background, which belongs to the picture.
    if (options.data / "dataset.json").is_file() and known.get("alpha", "black") == "black":
        known["alpha"] = "ignore"
    known |= {name: getattr(options, name) for name in ("alpha", "crop") if getattr(options, name) is not None}
    try:
        return ImageSetConfig(**known)
    except TypeError as error:
        raise ValueError(f"What {options.generator} says of its images is of another version: {error}.") from error


def real_batches(images: ImageSet, loaded: LoadedGenerator, chosen: np.ndarray, batch: int) -> Iterator[Tensor]:
    """Yields the chosen images, cut to the generator's content, as (N, 3, h, w) in [-1, 1]."""
    import torch

    from ..evaluation.grids import cropped

    for start in range(0, len(chosen), batch):
        some = torch.from_numpy(images.images[chosen[start : start + batch]]).to(loaded.device)
        yield cropped(some.permute(0, 3, 1, 2).float() / 127.5 - 1, images.config.content())


def generated_batches(options: argparse.Namespace, loaded: LoadedGenerator) -> Iterator[Tensor]:
    """Yields pictures (N, 3, h, w) in [-1, 1], made with fresh noise, and rounded to bytes as the real images are."""
    import torch

    from ..evaluation.grids import draw

    random = torch.Generator().manual_seed(options.seed + 1)
    for z in draw(loaded.generator, options.samples, options.seed).split(options.batch):
        with torch.no_grad():
            images = loaded.generator(z, options.truncation, noise="random", random=random)
        pictures = torch.from_numpy(loaded.to_pictures(images)).to(loaded.device)
        yield pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def features(networks: list[FeatureNetwork], batches: Iterator[Tensor], count: int, what: str) -> list[Tensor]:
    """Returns features (count, D) for each network, with a progress bar."""
    import torch

    from ..progress_bar import Bar

    kept: list[list[Tensor]] = [[] for _ in networks]
    with Bar(what, count, unit="image") as bar:
        for images in batches:
            for network, vectors in zip(networks, kept, strict=True):
                vectors.append(network(images).float().cpu())
            bar.update(len(images))
    return [torch.cat(vectors) for vectors in kept]


def write_pictures(options: argparse.Namespace, loaded: LoadedGenerator) -> None:
    """Writes samples, truncations, mixed styles and interpolations, all from the seed. Raises OSError."""
    from ..evaluation.grids import Gallery

    gallery, seed = Gallery(loaded.generator, loaded.content, options.truncation, options.batch), options.seed
    layers = min(VIEW_LAYERS, loaded.generator.codes - 1)
    made = {
        "samples.png": lambda: gallery.sample_grid(10, 10, seed),
        "truncation.png": lambda: gallery.truncation_grid(6, TRUNCATIONS, seed),
        "mixing.png": lambda: gallery.mixing_grid(6, 6, seed, layers),
        "interpolation.png": lambda: gallery.interpolation_strip(6, 8, seed),
    }
    for name, make in made.items():
        write_picture(options.pictures / name, make())
        print(f"Wrote {options.pictures / name}", flush=True)
    if options.video:
        frames = gallery.interpolation_frames(8, 2 * FRAMES_A_SECOND, seed)
        write_video(options.pictures / "interpolation.mp4", frames)
        print(f"Wrote {options.pictures / 'interpolation.mp4'}", flush=True)


def write_video(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Writes frames (h, w, 3) uint8 as a film of even sides, as codecs want them, whole or not at all.

    Raises OSError where no encoder is at hand.
    """
    import cv2

    writer = None
    with replacing(path, path.suffix) as partial:
        try:
            for frame in frames:
                height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
                if writer is None:
                    code = cv2.VideoWriter.fourcc(*"mp4v")
                    writer = cv2.VideoWriter(str(partial), code, FRAMES_A_SECOND, (width, height))
                    if not writer.isOpened():
                        raise OSError(f"The film {path} cannot be written: OpenCV has no encoder for it here.")
                writer.write(cv2.cvtColor(frame[:height, :width], cv2.COLOR_RGB2BGR))
        finally:
            if writer is not None:
                writer.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
