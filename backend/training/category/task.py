# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new category from photographs alone: every step of paper A in one run that goes on where it was stopped.

No bundle is needed. Masks are the photographs' own, a person's, or those of a network that finds what stands out; a
segmenter learns them, so that it reads the generator's pictures too. From what side views are seen a person says, in
the panel or in the view set's file; without anybody the chain stops there, or goes on with guesses where these are
accepted. Each step has a folder of its own, and ``category.json`` says how far they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ...common import category_steps as steps
from ...common import view_set
from ...common.bundle_files import CARD, SEGMENTER
from ...common.category_steps import Step
from ...common.run_files import Waiting, stop_if_asked
from ...data.cut_outs import MaskOf, NoMasks, masks_in, write_cut_outs
from ...gan_views.dataset import write_gan_views
from ...gan_views.objects import FilterConfig, GanViews, GanViewsConfig, ObservedGenerator
from ...gan_views.reader_choice import NO_BUNDLE, reader_of
from ...gan_views.search import train as find_views
from ...gan_views.view_codes import load_view_codes
from ...models.salient_objects import find_models, load_salient_network
from ...weights.run_folder import CHECKPOINT, load_generator_or_run
from ..disentangle.task import train as train_renderer
from ..inverse_graphics.free_cameras import train as train_shapes
from ..segmenter import train as train_segmenter
from ..stylegan2 import train as train_generator
from .bundle import write_bundle
from .settings import PRESETS, CategoryTraining

__all__ = ["PRESETS", "train"]

Figures = dict[str, float]


def train(config: CategoryTraining, data: Path, out: Path, *, resume: bool, device: torch.device) -> Figures:
    """Goes through the steps that are not done yet; leaves the bundle in ``out/bundle``. Returns the last figures.

    Raises:
        FileExistsError: A category lies in ``out`` that was not asked to be resumed.
        Waiting: A person has to say from which side views are seen.
        UnrenderError, ValueError: A step cannot be done, in one sentence.
    """
    if (out / steps.FILE_NAME).exists() and not resume:
        raise FileExistsError(f"A category lies in {out} already; add --resume to continue it or choose another.")
    out.mkdir(parents=True, exist_ok=True)
    return Chain(config, data.absolute(), out.absolute(), device).run()


@dataclass
class Chain:
    """The steps of one category."""

    config: CategoryTraining
    data: Path
    out: Path
    device: torch.device

    @property
    def category(self) -> str:
        """What the things are."""
        return self.config.category or self.out.resolve().name

    def run(self) -> Figures:
        """Does what is not done; see :func:`train`."""
        works: dict[str, Callable[[], tuple[Figures, str]]] = {
            steps.MASKS: self.masks,
            steps.SEGMENTER: self.segmenter,
            steps.GENERATOR: self.generator,
            steps.VIEWS: self.views,
            steps.SIDES: self.sides,
            steps.PICTURES: self.pictures,
            steps.SHAPES: self.shapes,
            steps.BUNDLE: self.bundle,
            steps.RENDERER: self.renderer,
        }
        known = steps.read(self.out)
        figures: Figures = {}
        for name, work in works.items():
            step = next(one for one in known if one.name == name)
            if step.state == "done" or (name == steps.RENDERER and not self.config.disentangle):
                known = known if step.state == "done" else self._say(known, name, state="left out")
                continue
            stop_if_asked()
            known, made = self._do(known, step, work)
            figures = made or figures
        return figures

    def _do(self, known: list[Step], step: Step, work: Callable[[], tuple[Figures, str]]) -> tuple[list[Step], Figures]:
        print(f"{step.title} …", flush=True)
        known = self._say(known, step.name, state="running", sentence="")
        began = time.perf_counter()

        def seconds() -> float:
            return round(step.seconds + time.perf_counter() - began, 1)

        try:
            figures, sentence = work()
        except Waiting as error:
            self._say(known, step.name, state="person", sentence=str(error))
            raise
        except KeyboardInterrupt:
            self._say(known, step.name, state="open", seconds=seconds())
            raise
        except Exception as error:
            self._say(known, step.name, state="failed", sentence=" ".join(str(error).split()), seconds=seconds())
            raise
        if sentence:
            print(sentence, flush=True)
        return self._say(known, step.name, state="done", sentence=sentence, seconds=seconds()), figures

    def _say(self, known: list[Step], name: str, **changes) -> list[Step]:
        known = steps.changed(known, name, **changes)
        steps.write(self.out, known)
        return known

    def masks(self) -> tuple[Figures, str]:
        """Cuts the photographs out."""
        config = self.config
        counts = write_cut_outs(
            self.data, self.out / steps.MASKS, config.resolution, mask_source(config), self.category
        )
        kept = counts.pop("kept")
        rest = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in counts.items())
        return {}, f"{kept} photographs{', left out: ' + rest if rest else ''}."

    def segmenter(self) -> tuple[Figures, str]:
        """Learns to find such things in pictures."""
        figures = self._trained(train_segmenter, self.config.segmenter, steps.MASKS, steps.SEGMENTER)
        return figures, f"Outlines agree to {figures.get('iou', 0):.0%} on photographs not learned from."

    def generator(self) -> tuple[Figures, str]:
        """Learns to make pictures of such things, from whole photographs that are padded to squares."""
        figures = self._trained(train_generator, self.config.stylegan2, steps.MASKS, steps.GENERATOR)
        return figures, ""

    def views(self) -> tuple[Figures, str]:
        """Looks for views, with guesses of their sides."""
        segmenter = str(self.out / steps.SEGMENTER / SEGMENTER)
        config = replace(self.config.views, bundle=NO_BUNDLE, segmenter=segmenter)
        figures = find_views(
            config, self.out / steps.GENERATOR, self.out / steps.VIEWS, resume=True, device=self.device
        )
        return figures, f"{figures['views']:.0f} views." if figures else ""

    def sides(self) -> tuple[Figures, str]:
        """Looks whether every view has its side. Raises Waiting, or takes the guesses where these are accepted: by the
        settings, or by a person who took them all in Blender."""
        folder = self.out / steps.VIEWS
        found = view_set.read(folder)
        missing = [view for view in found.views if not (view.dropped or view.is_by_person)]
        if missing and not (self.config.accept_guesses or found.accepts_guesses):
            raise Waiting(
                f"{len(missing)} of {len(found.views)} views have only a guessed side: open {folder} in Blender, under "
                "Train ▸ Views, say for each from where it is seen, and go on with --resume; or accept the guesses "
                "with --accept-guesses."
            )
        undecided = [view for view in found.views if not view.dropped and view.likely_bin is None]
        if undecided or sum(not view.dropped for view in found.views) < 2:
            raise Waiting(f"Two views and a side for each are needed: open {folder} in Blender, under Train ▸ Views.")
        if missing:
            return {}, (
                f"{len(missing)} sides are guesses from outlines: front may be back, and the way around the other."
            )
        return {}, f"{sum(not view.dropped for view in found.views)} views have their sides."

    def pictures(self) -> tuple[Figures, str]:
        """Makes pictures of many things from every view."""
        config, views = self.config.pictures, self.config.views
        loaded = load_generator_or_run(self.out / steps.GENERATOR, self.device)
        segmenter = str(self.out / steps.SEGMENTER / SEGMENTER)
        reader = reader_of(NO_BUNDLE, segmenter, self.device, views.batch, views.looks)
        filters = FilterConfig(
            second_object=config.second_object, min_area=config.min_area, azimuth_deg=180.0, colour=config.colour
        )
        source = GanViews(
            ObservedGenerator(loaded.generator, loaded.content, reader, self.device, views.batch),
            load_view_codes(self.out / steps.VIEWS),
            GanViewsConfig(config.seed, config.truncation, filters),
        )
        report = write_gan_views(
            self.out / steps.PICTURES, source, config.objects, generator=steps.GENERATOR, category=self.category
        )
        return {}, f"{report['kept']} of {report['made']} pictures of {report['objects_kept']} things."

    def shapes(self) -> tuple[Figures, str]:
        """Learns shapes, textures and cameras from them."""
        config = replace(self.config.shapes, category=self.category)
        figures = self._trained(train_shapes, config, steps.PICTURES, steps.SHAPES)
        return figures, ""

    def bundle(self) -> tuple[Figures, str]:
        """Puts the bundle together."""
        folder = self.out / steps.BUNDLE
        write_bundle(
            folder,
            self.out / steps.SHAPES,
            self.out / steps.SEGMENTER / SEGMENTER,
            category=self.category,
            real_size=self.config.real_size,
            licence=self.config.licence,
            note=f"photographs in {self.data.name}, through a generator's views",
        )
        return {}, f"{folder / CARD}"

    def renderer(self) -> tuple[Figures, str]:
        """Learns which of the generator's styles are camera, shape, texture and background."""
        generator, judge = (str(self.out / name) for name in (steps.GENERATOR, steps.SHAPES))
        config = replace(self.config.renderer, generator=generator, inverse_graphics=judge)
        return self._trained(train_renderer, config, steps.PICTURES, steps.RENDERER), ""

    def _trained(self, task: Callable, config, data: str, name: str) -> Figures:
        """Runs a training in the folder of its step, on what another step has left."""
        out = self.out / name
        resume = (out / CHECKPOINT).exists()
        return task(config, self.out / data, out, resume=resume, device=self.device)


def mask_source(config: CategoryTraining) -> MaskOf | None:
    """What makes masks for photographs without transparency; None where there is nothing.

    Raises NoMasks or CutOutModelError for what was named and is not there.
    """
    if config.masks and config.cutout_model:
        raise NoMasks("Masks come from a folder or from a cut-out model, not from both: leave one of them out.")
    if config.masks:
        return masks_in(Path(config.masks))
    if not config.cutout_model and not find_models():
        return None
    network = load_salient_network(config.cutout_model or find_models()[0])

    def mask_of(_name: str, rgb: np.ndarray) -> np.ndarray:
        found = (network(rgb) * 255).round().astype(np.uint8)
        return cv2.resize(found, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    return mask_of
