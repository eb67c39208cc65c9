# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the network for objects with parts: its losses and figures, what it learns, resuming, what it refuses."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from backend.commands import train as command
from backend.common.bundle_files import PARTS_NETWORK
from backend.common.regions import REGIONS
from backend.errors import BundleError
from backend.models.parts_network import PartsPrediction, bin_centres, load_parts_network
from backend.training.parts import task as module
from backend.training.parts.drawn_cars import DrawnCars, DrawnConfig
from backend.training.parts.evaluation import azimuth_figures, map_figures, sheet
from backend.training.parts.examples import BACKGROUND, UNKNOWN_REGION, Examples, VariationConfig
from backend.training.parts.kept_drawings import KeptDrawings
from backend.training.parts.losses import (
    PartsWeights,
    azimuth_loss,
    coordinate_loss,
    log_prior,
    offset_loss,
    parts_losses,
    region_loss,
)
from backend.training.parts.task import PRESETS, PartsTask, PartsTraining, train
from tests.helpers.parts_samples import CODE, parts_template, shape_space, write_parts_bundle
from tests.helpers.synthetic import write_dataset

CPU = torch.device("cpu")
BINS = 36


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would do nothing for pictures this small but wait for each other where others compute as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def truth(azimuths: list[float], errors: list[float] | float = 0.05, size: int = 8) -> Examples:
    """Examples of whose maps the left half is known: glass at the point (0.1, 0.2, 0.3)."""
    count = len(azimuths)
    known = torch.zeros(count, 1, size, size, dtype=torch.bool)
    known[..., : size // 2] = True
    point = torch.tensor([0.1, 0.2, 0.3])[None, :, None, None]
    regions = torch.where(known[:, 0], REGIONS.index("glass"), BACKGROUND).to(torch.uint8)
    one = torch.ones(count)
    return Examples(
        rgb=torch.rand(count, 3, size, size, generator=random()), mask=known.float(), coordinates=known * point,
        regions=regions, known=known, azimuth=torch.tensor(azimuths), azimuth_error=one * torch.as_tensor(errors),
        pose=torch.tensor([[0.1, 1.0, 0.02]]).repeat(count, 1), code=torch.ones(count, CODE), weight_pose=one,
        weight_code=one, photograph=one < 0,
    )  # fmt: skip


def right(examples: Examples) -> PartsPrediction:
    """The prediction that says exactly what is true, at half the size."""
    centres = bin_centres(BINS)
    apart = torch.remainder(examples.azimuth[:, None] - centres + math.pi, 2 * math.pi) - math.pi
    regions = examples.regions[:, ::2, ::2].long()
    logits = torch.stack([torch.where(regions == index, 20.0, -20.0) for index in range(len(REGIONS))], dim=1)
    return PartsPrediction(
        -((apart / 0.1) ** 2), apart, examples.pose.clone(), examples.code.clone(),
        examples.coordinates[:, :, ::2, ::2].clone(), torch.full_like(regions, 0.01, dtype=torch.float32), logits,
        (examples.mask[:, 0, ::2, ::2] - 0.5) * 40,
    )  # fmt: skip


def test_azimuth_loss_is_least_at_the_true_distribution() -> None:
    examples = truth([0.3, -3.1, 2.0], [0.1, 0.2, 0.5])
    centres = -np.pi + (np.arange(BINS) + 0.5) * 2 * np.pi / BINS
    bell = [np.exp(np.cos(a - centres) / w**2) for a, w in ((0.3, 0.1), (-3.1, 0.2), (2.0, 0.5))]  # von Mises
    best = torch.tensor(np.log([row / row.sum() for row in bell]), dtype=torch.float32, requires_grad=True)
    loss = azimuth_loss(best, examples)
    loss.backward()
    assert best.grad is not None and best.grad.abs().max() < 1e-5
    for seed in range(5):
        assert azimuth_loss(best + 0.3 * torch.randn(3, BINS, generator=random(seed)), examples) > loss
    assert azimuth_loss(best.roll(BINS // 2, dims=1), examples) > 5 * loss


def test_a_prior_is_the_share_of_azimuths_and_their_mirror_images() -> None:
    azimuths = torch.tensor([0.5] * 9 + [2.0])
    shares = log_prior(azimuths, BINS, 0.05, floor=0).exp()
    counted = np.zeros(BINS)
    for azimuth in [*azimuths.tolist(), *(-azimuths).tolist()]:
        bell = np.array([math.exp((math.cos(azimuth - c) - 1) / 0.05**2) for c in bin_centres(BINS).tolist()])
        counted += bell / bell.sum() / (2 * len(azimuths))
    assert np.allclose(shares.numpy(), counted, atol=1e-6) and torch.allclose(shares, shares.flip(0), atol=1e-6)
    floored = log_prior(azimuths, BINS, 0.05, floor=0.1).exp()
    assert floored.sum() == pytest.approx(1, abs=1e-5) and floored.min() == pytest.approx(0.1 / BINS, rel=1e-3)


def test_photographs_of_fronts_alone_do_not_teach_that_photographs_show_fronts() -> None:
    """A judge that can see nothing but the azimuth's class learns even odds, however rare rears are in the set."""
    generator = random()
    azimuths = torch.where(torch.rand(400, generator=generator) < 0.9, 0.3, 2.8)
    seen = (azimuths > 1).float() + 0.8 * torch.randn(400, generator=generator)  # weak evidence of the rear
    examples = replace(truth([0.0] * 400), azimuth=azimuths, photograph=torch.ones(400, dtype=torch.bool))
    prior = log_prior(azimuths, BINS, 0.1, floor=0.001)
    for given, lowest, highest in ((None, 0.0, 0.3), (prior, 0.35, 0.65)):
        slope = torch.zeros(2, BINS, requires_grad=True)
        optimizer = torch.optim.Adam([slope], lr=0.1)
        for _ in range(300):
            logits = slope[0] + seen[:, None] * slope[1] + (0 if given is None else given)
            optimizer.zero_grad()
            azimuth_loss(logits, examples).backward()
            optimizer.step()
        halfway = (slope[0] + 0.5 * slope[1]).detach().softmax(0)  # the evidence is for either
        rear = float(halfway[bin_centres(BINS).abs() > 2].sum())
        front = float(halfway[bin_centres(BINS).abs() < 1].sum())
        assert lowest < rear / (rear + front) < highest


def test_kept_drawings_are_renewed_and_follow_from_the_step() -> None:
    made = []

    def draw(count: int, generator: torch.Generator) -> Examples:
        made.append(count)
        return replace(truth([0.0] * count), azimuth=torch.rand(count, generator=generator))

    kept = KeptDrawings(draw, kept=12, fresh=3, seed=1, device=CPU)
    first = kept.examples(0, 64, random(2)).azimuth
    assert len(made) == 4 and len(set(first.tolist())) == 12
    second = kept.examples(1, 64, random(2)).azimuth
    assert len(made) == 5 and len(set(first.tolist()) & set(second.tolist())) == 9
    resumed = KeptDrawings(draw, kept=12, fresh=3, seed=1, device=CPU).examples(1, 64, random(2)).azimuth
    assert torch.equal(resumed, second)


def test_offsets_are_judged_in_the_bins_near_the_azimuth_alone() -> None:
    examples = truth([math.radians(4)])
    right_offsets = right(examples).azimuth_offsets
    assert offset_loss(right_offsets, examples) < 1e-6
    near, far = right_offsets.clone(), right_offsets.clone()
    near[0, 18], far[0, 25] = near[0, 18] + 0.1, 9.0  # 5 and 75 degrees
    assert offset_loss(near, examples) > 0.1 and offset_loss(far, examples) < 1e-6


def test_coordinate_loss_is_least_where_the_spread_is_as_large_as_the_errors() -> None:
    generator = random()
    error = 0.02 * torch.empty(1, 3, 64, 64).exponential_(generator=generator)  # of a Laplacian with this scale
    known = torch.ones(1, 64, 64, dtype=torch.bool)

    def loss(spread: float) -> float:
        said = replace(right(truth([0.0])), coordinates=error, spread=torch.full((1, 64, 64), spread))
        return float(coordinate_loss(said, torch.zeros_like(error), known, torch.ones(1)))

    losses = {spread: loss(spread) for spread in (0.01, 0.014, 0.02, 0.028, 0.04)}
    assert min(losses, key=lambda spread: losses[spread]) == 0.02


def test_nothing_is_asked_where_nothing_is_known() -> None:
    examples = truth([0.0, 1.0])
    examples.known[1] = False
    examples.regions[1] = UNKNOWN_REGION
    examples.weight_pose[1] = examples.weight_code[1] = 0
    said = right(examples)
    for name in ("coordinates", "region_logits", "pose", "code"):
        values = getattr(said, name)
        values[1] += 3.0
        values.requires_grad_()
    losses = parts_losses(said, examples, torch.ones(CODE), PartsWeights())
    torch.stack(list(losses.values())).sum().backward()
    for name in ("coordinates", "region_logits", "pose", "code"):
        assert not getattr(said, name).grad[1].any(), name
    assert all(losses[name].item() < 1e-6 for name in ("pose", "code", "regions"))


def test_background_is_no_region() -> None:
    examples = truth([0.0])
    logits = right(examples).region_logits
    changed = logits.clone()
    changed[..., 2:] = torch.randn(1, len(REGIONS), 4, 2, generator=random())
    regions = examples.regions[:, ::2, ::2]
    assert torch.equal(*(region_loss(each, regions, torch.ones(1)) for each in (logits, changed)))
    assert region_loss(-logits, regions, torch.ones(1)) > 10


def test_every_loss_falls_towards_the_truth() -> None:
    examples = truth([0.3, -2.0])
    best = parts_losses(right(examples), examples, torch.ones(CODE), PartsWeights())
    wrong = right(truth([1.9, 2.0]))
    wrong = replace(
        wrong, pose=wrong.pose + 0.3, code=-wrong.code, coordinates=wrong.coordinates + 0.2,
        region_logits=-wrong.region_logits, mask_logits=-wrong.mask_logits,
    )  # fmt: skip
    worse = parts_losses(wrong, examples, torch.ones(CODE), PartsWeights())
    assert set(best) == {"azimuth", "offset", "pose", "code", "coordinates", "regions", "mask"}
    assert all(worse[name] > best[name] + 0.1 for name in best)


def test_figures_of_azimuths_count_flips_and_second_guesses() -> None:
    examples = truth([math.radians(degrees) for degrees in (5, 45, 95, 175)])
    likely = torch.full((4, BINS), -9.0)
    for row, (first, second) in enumerate(((5, 90), (55, 150), (-85, 95), (5, 60))):  # the last two are flipped
        for degrees, height in ((first, 5.0), (second, 3.0)):
            likely[row, int((degrees + 180) // 10)] = height
    said = replace(right(examples), azimuth_logits=likely, azimuth_offsets=torch.zeros(4, BINS))
    figures = azimuth_figures([(examples, said, torch.zeros(4, 4, 8, 8))])
    assert figures["flips"] == 0.5 and figures["flips_front"] == 0 and figures["flips_other"] == 1
    assert figures["off_60"] == 0.5 and figures["second"] == 0.5
    # Errors of 0, 10, 170 (180 less the bin's half) and 170 degrees; torch's median is the lower one.
    assert figures["azimuth_deg"] == pytest.approx(10, abs=0.01)


def test_figures_of_maps_are_perfect_for_the_truth_alone() -> None:
    examples = truth([0.0, 1.0])
    figures = map_figures([(examples, right(examples), torch.zeros(2, 4, 8, 8))])
    assert figures == {"mask_iou": 1, "coordinate_error": 0, "regions_right": 1}
    said = right(examples)
    said.coordinates[:, 2] += 0.05
    said.region_logits[0] *= -1
    said.mask_logits[:, :2] *= -1
    figures = map_figures([(examples, said, torch.zeros(2, 4, 8, 8))])
    assert figures["coordinate_error"] == pytest.approx(0.05) and figures["regions_right"] == 0.5
    assert figures["mask_iou"] == pytest.approx(4 / 12)


def test_a_sheet_shows_five_rows() -> None:
    examples = truth([0.0, 1.0])
    picture = sheet(examples, right(examples), torch.rand(2, 4, 8, 8, generator=random()))
    assert picture.shape == (20, 8, 3) and picture.dtype == np.uint8
    assert (picture[12:16, :2] == picture[16:20, :2]).all(), "regions as they are and as they are seen"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PartsTraining:
    """The tiny preset for the toy car."""
    bundle = write_parts_bundle(tmp_path_factory.mktemp("bundles") / "toy")
    config = PRESETS["tiny"]
    return replace(config, bundle=str(bundle), network=replace(config.network, code_size=CODE))


def for_steps(config: PartsTraining, steps: int, **changes: object) -> PartsTraining:
    loop = replace(config.loop, steps=steps, evaluate_every=steps, checkpoint_every=max(1, steps // 2))
    return replace(config, loop=loop, **changes)


def write_photographs(folder: Path, count: int) -> Path:
    """Drawn toy cars as labelled photographs, each a group of its own."""
    template = parts_template()
    seen = DrawnCars(shape_space(template), template, DrawnConfig(codes=8), CPU, 5).draw(
        count, 64, torch.rand(count, 3, 4, 4, generator=random()), random(5)
    )
    for kind in ("photos", "masks"):
        (folder / kind).mkdir(parents=True)
    rows = []
    for index in range(count):
        rgb = (seen.rgb[index].permute(1, 2, 0).clamp(0, 1) * 255).byte().numpy()
        Image.fromarray(rgb).save(folder / "photos" / f"{index:02d}.png")
        Image.fromarray((seen.mask[index, 0] * 255).byte().numpy()).save(folder / "masks" / f"{index:02d}.png")
        rows.append({"file": f"{index:02d}.png", "azimuth_deg": math.degrees(float(seen.azimuth[index])), "ok": 1})
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_network_learns_azimuths_and_maps_from_drawn_cars_alone(tiny: PartsTraining, tmp_path: Path) -> None:
    easy = VariationConfig(
        scale=0.05, shift=0.02, turn_deg=1, rough_outline=0, no_outline=0, hole=0, neighbour=0, spoiled=0,
        grey=0, blurred=0, colour=0.1,
    )  # fmt: skip
    drawing = DrawnConfig(codes=64, from_above=0)
    config = for_steps(tiny, 110, learning_rate=6e-3, drawn=16, drawing=drawing, variation=easy, average_decay=0.95)
    figures = train(config, Path("-"), tmp_path, resume=False, device=CPU)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [entry for entry in entries if "azimuth" in entry]
    assert losses[0]["azimuth"] > 3.4 and losses[-1]["azimuth"] < 3.1, "knowing nothing is log 36 = 3.58"
    assert losses[-1]["regions"] < 0.5 * losses[0]["regions"]
    assert figures["drawn_off_60"] < 0.5, "guessing is two thirds"
    assert figures["drawn_mask_iou"] > 0.8 and figures["drawn_regions_right"] > 0.7
    assert load_parts_network(tmp_path / PARTS_NETWORK).config == config.network
    assert np.asarray(Image.open(tmp_path / "drawn_000110.png")).shape == (5 * 32, 12 * 32, 3)


def test_a_resumed_training_is_the_same_training_bit_for_bit(
    tiny: PartsTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = for_steps(tiny, 6)
    train(config, Path("-"), tmp_path / "whole", resume=False, device=CPU)
    step = PartsTask.step

    def stopped(task: PartsTask, number: int) -> dict[str, torch.Tensor]:
        if number == 4:  # one after the checkpoint
            raise KeyboardInterrupt
        return step(task, number)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.PartsTask, "step", stopped)
        train(config, Path("-"), tmp_path / "halves", resume=False, device=CPU)
    torch.rand(100)
    train(config, Path("-"), tmp_path / "halves", resume=True, device=CPU)
    whole, halves = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("whole", "halves"))
    assert whole.keys() == halves.keys() and all(torch.equal(whole[name], halves[name]) for name in whole)
    with pytest.raises(FileExistsError, match="add --resume"):
        train(config, Path("-"), tmp_path / "whole", resume=False, device=CPU)


def test_the_command_learns_from_renders_and_photographs_and_judges_by_held_out_ones(
    tiny: PartsTraining, tmp_path: Path
) -> None:
    renders = write_dataset(tmp_path / "renders", objects=2, views=3)
    shown, judged = write_photographs(tmp_path / "shown", 6), write_photographs(tmp_path / "judged", 2)
    words = ["parts", "--data", str(renders), "--out", str(tmp_path / "run"), "--preset", "tiny", "loop.steps=2",
             f"bundle={tiny.bundle}", f"network.code_size={CODE}", f"photographs={shown}"]  # fmt: skip
    assert command.main([*words, f"validation={judged}"]) == 0
    entries = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    figures = {name for entry in entries for name in entry}
    assert {"domain", "coordinates", "validation/renders_coordinate_error", "validation/drawn_flips"} <= figures
    assert {"validation/shown_azimuth_deg", "validation/judged_azimuth_deg"} <= figures
    assert "validation/judged_coordinate_error" not in figures, "photographs to judge by have no fits"
    fits = load_file(tmp_path / "run" / "photograph_fits.safetensors")
    kept = len(module.load_labelled_photographs(shown, 16).split(0.2)[0])
    assert 0 < kept < 6 and fits["codes"].shape == (kept, CODE) and fits["iou"].max() > 0.85


def test_a_network_goes_on_from_the_weights_of_another(tiny: PartsTraining, tmp_path: Path) -> None:
    kept = replace(tiny.drawing, kept=8)
    train(for_steps(tiny, 2, drawing=kept), Path("-"), tmp_path / "first", resume=False, device=CPU)
    task = PartsTask(replace(tiny, start=str(tmp_path / "first"), seed=5), None, tmp_path, CPU)
    given = load_parts_network(tmp_path / "first" / PARTS_NETWORK).state_dict()
    for name in ("model", "average"):
        own = task.networks[name].state_dict()
        assert all(torch.equal(own[key], value) for key, value in given.items())
    other = replace(tiny, start=str(tmp_path / "first"), network=replace(tiny.network, hidden=32))
    with pytest.raises(ValueError, match="another size"):
        PartsTask(other, None, tmp_path, CPU)


def test_the_judge_learns_what_the_features_unlearn() -> None:
    judge = module._Judge(4)
    features = torch.randn(6, 4, generator=random(), requires_grad=True)
    judge(features).sum().backward()
    turned, own = features.grad, [value.grad for value in judge.parameters()]
    plain = features.detach().requires_grad_()
    judge.zero_grad()
    judge.layers(plain).sum().backward()
    assert turned is not None and plain.grad is not None and turned.abs().max() > 0
    assert torch.allclose(turned, -plain.grad)
    assert all(torch.allclose(a, b.grad) for a, b in zip(own, judge.parameters(), strict=True))


def test_presets_are_of_the_network_that_ships() -> None:
    assert {name: preset.network.image_size for name, preset in PRESETS.items()} == {
        "tiny": 64, "small": 192, "medium": 192, "full": 192,
    }  # fmt: skip
    for preset in PRESETS.values():
        assert preset.packed >= 1.15 * preset.network.image_size, "examples are larger than crops"


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"network": PRESETS["tiny"].network}, "have 6 numbers, and the network expects 96; set network.code_size=6"),
    ({"held_out_renders": 9}, "holds 6 views, and 9 are held out; render more, or lower"),
    ({"photographs": "{folder}/set", "validation": "{folder}/other/set"}, "Two folders of photographs are called set"),
    ({"photographs": "{folder}/set", "held_out": 1.0}, "is left to learn from; lower held_out"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(tiny, tmp_path: Path, changes: dict, sentence: str) -> None:
    write_photographs(tmp_path / "set", 1)
    data = write_dataset(tmp_path / "renders", objects=2, views=3)
    filled = {name: v.format(folder=tmp_path) if isinstance(v, str) else v for name, v in changes.items()}
    with pytest.raises(ValueError, match=sentence):
        train(replace(tiny, **filled), data, tmp_path / "run", resume=False, device=CPU)


def test_missing_sets_are_refused_in_a_sentence(tiny: PartsTraining, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no weights bundle .no bundle. with a template with parts; these have"):
        train(replace(tiny, bundle="no bundle"), Path("-"), tmp_path / "run", resume=False, device=CPU)
    with pytest.raises(FileNotFoundError, match="No rendered object lies in"):
        train(tiny, tmp_path, tmp_path / "run", resume=False, device=CPU)
    without_truth = write_dataset(tmp_path / "renders", objects=1, views=2, truth=False)
    with pytest.raises(FileNotFoundError, match="render the dataset with .* --truth"):
        train(tiny, without_truth, tmp_path / "run", resume=False, device=CPU)
    with pytest.raises(FileNotFoundError, match="labels.csv is missing"):
        train(replace(tiny, photographs=str(tmp_path)), Path("-"), tmp_path / "run", resume=False, device=CPU)
