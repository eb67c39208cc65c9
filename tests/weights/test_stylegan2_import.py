# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of every kind become bundles whose generators make the images of the weights they were made from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from backend.errors import BundleError, Cancelled
from backend.models.storage import read_tensors, write_tensors
from backend.weights import generator_bundle
from backend.weights.generator_bundle import load_generator_bundle
from backend.weights.importers import stylegan2_import
from backend.weights.importers.known_checkpoints import origin_of
from backend.weights.importers.stylegan2_import import bundle_name, default_name, import_checkpoint, read_generator
from backend.weights.importers.untrusted import CheckpointError
from tests.helpers import stylegan2_port_twin, stylegan2_tensorflow_twin
from tests.helpers.hostile_samples import harmful
from tests.helpers.pickle_samples import ada_snapshot, assert_one_sentence, pickled, port_snapshot, saved, write
from tests.helpers.stylegan2_checkpoints import SAMPLES, SMALL, ada_network, refused, tensorflow_networks, written
from tests.helpers.stylegan2_reference import load_reference, needs_reference, relative_error

KINDS = sorted(SAMPLES)


def codes(size: int, samples: int = 3) -> torch.Tensor:
    return torch.randn(samples, size, generator=torch.Generator().manual_seed(9))


# The same images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("psi", [1.0, 0.6])
def test_an_imported_generator_makes_the_images_of_the_weights(tmp_path: Path, kind: str, psi: float) -> None:
    path, sample = written(tmp_path, kind)
    folder = import_checkpoint(path, tmp_path / "bundles", half=False)
    loaded = load_generator_bundle(folder)
    z = codes(sample.z_dim)
    images = loaded.generator(z, psi, noise="const")
    assert relative_error(images.double(), sample.images(z, psi).double()) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_changes_the_images_little(tmp_path: Path, kind: str) -> None:
    path, sample = written(tmp_path, kind)
    folder = import_checkpoint(path, tmp_path)
    z = codes(sample.z_dim)
    images = load_generator_bundle(folder).generator(z, noise="const")
    assert 1e-5 < relative_error(images.double(), sample.images(z, 1.0).double()) < 1e-2
    tensors, _ = read_tensors(folder / "generator.safetensors")
    assert {value.dtype for value in tensors.values()} == {torch.float16}


@needs_reference
def test_nvidias_numbers_come_out_of_a_pickle(tmp_path: Path) -> None:
    reference = load_reference()
    data = pickled({"G_ema": ada_network(reference.generator, 0.01, None)})
    folder = import_checkpoint(write(tmp_path, "nvidia.pkl", data), tmp_path, half=False)
    images = load_generator_bundle(folder).generator(reference.z, noise="const")
    assert relative_error(images, reference.outputs["img_noise_const"]) < 1e-5


def test_what_the_shapes_do_not_show_is_read_from_the_pickle(tmp_path: Path) -> None:
    path, sample = written(tmp_path, "ada", rate=0.2, clamp=1.5)
    found = read_generator(path)
    assert found.generator.config.mapping_rate == 0.2 and found.generator.config.conv_clamp == 1.5
    z = codes(sample.z_dim)
    assert relative_error(found.generator(z, noise="const"), sample.images(z, 1.0)) < 1e-5


def test_a_file_without_a_moving_average_gives_its_generator_and_says_so(tmp_path: Path) -> None:
    twin = stylegan2_port_twin
    path, _ = written(tmp_path, "state", g_ema=None, latent_avg=None)
    found = read_generator(path)
    z = codes(7)
    assert relative_error(found.generator(z, noise="const").double(), twin.images(twin.random_generator(100), z)) < 1e-5
    assert "moving average" in " ".join(found.notes) and "mean of w" in " ".join(found.notes)
    assert found.generator.mapping.average.any()
    card = json.loads((import_checkpoint(path, tmp_path) / "bundle.json").read_text())
    assert "no moving average" in card["generator"]["notes"]


# Bundles


def test_the_card_says_what_is_known(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "tensorflow", name="stylegan2-horse-config-f")
    folder = import_checkpoint(path, tmp_path / "bundles")
    assert folder == tmp_path / "bundles" / "stylegan2-horse-config-f"
    card = json.loads((folder / "bundle.json").read_text())
    block = card["generator"]
    assert card["format"] == 1 and card["name"] == "stylegan2-horse-config-f" and card["category"] == "horse"
    assert block["resolution"] == 16 and block["content"] == [0, 0, 16, 16]
    assert block["licence"] == "Nvidia Source Code License-NC: non-commercial" and "LSUN Horse" in block["data"]
    assert block["source"] == "stylegan2-horse-config-f.pkl, NVIDIA's TensorFlow pickle"
    assert set(os.listdir(folder)) == {"bundle.json", "generator.safetensors"}
    assert os.listdir(tmp_path / "bundles") == [folder.name]


def test_an_unknown_file_has_unknown_terms_unless_the_user_knows_them(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "state", name="my cars")
    first = load_generator_bundle(import_checkpoint(path, tmp_path))
    assert first.name == "my-cars" and first.info["licence"] == "unknown, see the source"
    second = load_generator_bundle(
        import_checkpoint(path, tmp_path, name="b", licence="CC0-1.0", content=(2, 1, 12, 9))
    )
    assert second.info["licence"] == "CC0-1.0" and second.content == (2, 1, 12, 9)
    assert second.to_pictures(torch.zeros(2, 3, 16, 16)).shape == (2, 12, 9, 3)


def test_lsun_cars_pictures_are_cut_out_of_their_square(tmp_path: Path) -> None:
    channels = {4 << level: 1 for level in range(8)}
    path, _ = written(tmp_path, "tensorflow", name="stylegan2-car-config-f", channels=channels)
    loaded = load_generator_bundle(import_checkpoint(path, tmp_path / "bundles"))
    assert loaded.content == (64, 0, 384, 512)
    image = torch.full((1, 3, 512, 512), -1.0)
    image[:, :, 64:448] = 1.0
    pictures = loaded.to_pictures(image)
    assert pictures.shape == (1, 384, 512, 3) and pictures.min() == 255
    with torch.no_grad():
        assert loaded.to_pictures(loaded.generator(codes(5, 1))).shape == (1, 384, 512, 3)


def test_a_small_car_generator_has_no_bars_of_which_it_is_known(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "tensorflow", name="stylegan2-car-config-f")
    assert read_generator(path).card.content == (0, 0, 16, 16)


@pytest.mark.parametrize(
    ("name", "kind", "category"),
    [
        ("stylegan2-car-config-f.pkl", "tensorflow", "car"),
        ("stylegan2-car-config-e-Gskip-Dresnet.pkl", "tensorflow", "car"),
        ("stylegan2-church-config-f (1).pkl", "tensorflow", "church"),
        ("stylegan2-ffhq-config-f.pt", "state", "face"),
        ("afhqdog.pkl", "ada", "dog"),
        ("afhqdog.pkl", "tensorflow", ""),
        ("my-car.pkl", "ada", ""),
    ],
)
def test_nvidias_files_are_known_by_their_names(name: str, kind: str, category: str) -> None:
    origin = origin_of(name, kind)
    assert origin.category == category
    assert ("NVIDIA" in origin.licence.upper()) == bool(category)
    assert origin.picture == ((384, 512) if category == "car" else None)


def test_one_of_our_own_bundles_comes_back_as_it_was(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "tensorflow", name="stylegan2-cat-config-f")
    first = import_checkpoint(path, tmp_path, name="first", content=(1, 2, 8, 9), licence="mine")
    expected = load_generator_bundle(first)
    for source in (first, first / "generator.safetensors", first / "bundle.json"):
        again = load_generator_bundle(import_checkpoint(source, tmp_path / "again", name="b", replace=True))
        assert again.info == expected.info and again.content == (1, 2, 8, 9)
        for name, value in expected.generator.state_dict().items():
            assert torch.equal(value, again.generator.state_dict()[name])
    assert default_name(first / "generator.safetensors") == default_name(first) == "first"
    bare = tmp_path / "bare.safetensors"
    bare.write_bytes((first / "generator.safetensors").read_bytes())
    assert load_generator_bundle(bare).content == (0, 0, 16, 16)
    assert load_generator_bundle(import_checkpoint(bare, tmp_path)).info["licence"] == "unknown, see the source"


def test_weights_too_large_for_half_precision_are_kept_in_full(tmp_path: Path) -> None:
    twin = stylegan2_tensorflow_twin
    variables = twin.random_generator(channels=SMALL)
    variables["mapping/Dense0/weight"][0, 0] = 1e6
    data = pickled((tensorflow_networks(variables),) * 3)
    loaded = load_generator_bundle(import_checkpoint(write(tmp_path, "large.pkl", data), tmp_path))
    assert float(loaded.generator.state_dict()["mapping.layers.0.weight"].max()) == 1e6
    assert "half precision" in loaded.info["notes"]


def test_an_existing_folder_is_not_overwritten_without_asking(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "state")
    folder = import_checkpoint(path, tmp_path / "bundles")
    other, sample = written(tmp_path, "state", name="other", seed=3)
    with pytest.raises(BundleError, match="already: choose another name"):
        import_checkpoint(other, tmp_path / "bundles", name="model")
    before = load_generator_bundle(folder).generator.const.clone()
    import_checkpoint(other, tmp_path / "bundles", name="model", replace=True)
    loaded = load_generator_bundle(folder)
    assert not torch.equal(loaded.generator.const, before)
    assert os.listdir(tmp_path / "bundles") == ["model"]
    (folder / "inverse_graphics.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match="more than an image generator"):
        import_checkpoint(other, tmp_path / "bundles", name="model", replace=True)
    assert (folder / "inverse_graphics.safetensors").exists()


@pytest.mark.parametrize("place", ["save_generator", "write_card"])
def test_a_failure_while_writing_leaves_what_was_there(tmp_path: Path, place: str, monkeypatch) -> None:
    path, _ = written(tmp_path, "state")
    folder = import_checkpoint(path, tmp_path / "bundles")
    before = {file: file.read_bytes() for file in folder.iterdir()}

    def full(*arguments, **options) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generator_bundle, place, full)
    for name in ("model", "new"):
        with pytest.raises(BundleError, match="cannot be written: No space left on device.$"):
            import_checkpoint(path, tmp_path / "bundles", name=name, replace=True)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert os.listdir(tmp_path / "bundles") == ["model"]


def test_an_import_can_be_stopped_and_then_has_written_nothing(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "state")
    stages: list[str] = []

    def report(stage: str, fraction: float) -> None:
        stages.append(stage)
        if stage == "Writing the bundle":
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        import_checkpoint(path, tmp_path / "bundles", report=report)
    assert stages == ["Reading the checkpoint", "Trying the generator", "Writing the bundle"]
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("car", "car"),
        ("../../etc/x", "etc-x"),
        (" Käfer 雪 (1)", "Käfer-雪-1"),
        ("a.b_c-d", "a.b_c-d"),
        (".hidden", "hidden"),
    ],
)
def test_names_of_bundles_are_names_of_folders(text: str, name: str) -> None:
    assert bundle_name(text) == name


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(BundleError, match="letters or digits"):
        bundle_name("../..")


# What is refused


@pytest.mark.parametrize("name", list(harmful(Path("touched"))))
def test_a_malicious_pickle_makes_no_file_and_no_bundle(tmp_path: Path, name: str) -> None:
    data, named = harmful(tmp_path / "touched")[name]
    message = refused(write(tmp_path, "model.pkl", data), tmp_path / "bundles")
    assert named in message
    assert os.listdir(tmp_path) == ["model.pkl"]


def test_malformed_files_and_other_networks_are_one_sentence(tmp_path: Path) -> None:
    _, sample = written(tmp_path, "tensorflow")
    files = {
        "missing.pkl": None,
        "empty.pkl": b"",
        "text.pkl": b"hello",
        "page.pkl": b"<!DOCTYPE html>",
        "cut.pkl": sample.data[: len(sample.data) // 2],
        "some.pkl": pickled(ada_snapshot()),
        "some.pt": saved(port_snapshot()),
        "conditional.pkl": SAMPLES["tensorflow"](label_size=10).data,
        "resnet.pkl": SAMPLES["tensorflow"](architecture="resnet").data,
        "missing.safetensors": None,
        "broken.safetensors": b"{}" * 20,
    }
    for name, data in files.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        refused(path, tmp_path / "bundles")


def test_a_clause_of_a_refusal_says_what_is_wrong(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "tensorflow", architecture="resnet")
    assert refused(path, tmp_path / "out").endswith("cannot be used: this StyleGAN2 network is of a kind that is not "
                                                    "supported: its architecture is resnet.")  # fmt: skip
    state = {"mapping.fc0.weight": torch.zeros(()), "synthesis.b4.conv1.affine.weight": torch.zeros(())}
    data = pickled({"G_ema": ada_network(state, 0.01, None)})
    assert "cannot be used: this is not a StyleGAN2-ADA generator" in refused(
        write(tmp_path, "odd.pkl", data), tmp_path / "out"
    )


@pytest.mark.parametrize(("name", "value"), [("4x4/Const/const", np.nan), ("8x8/ToRGB/bias", np.inf)])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, name: str, value: float) -> None:
    variables = stylegan2_tensorflow_twin.random_generator(channels=SMALL)
    variables[f"synthesis/{name}"].flat[0] = value
    data = pickled((tensorflow_networks(variables),) * 3)
    assert "not finite" in refused(write(tmp_path, "bad.pkl", data), tmp_path / "out")


def test_a_generator_that_makes_no_picture_is_refused(tmp_path: Path) -> None:
    variables = stylegan2_tensorflow_twin.random_generator(channels=SMALL)
    for name in variables:
        if "ToRGB" in name:
            variables[name][:] = 0
    data = pickled((tensorflow_networks(variables),) * 3)
    assert "one flat colour" in refused(write(tmp_path, "flat.pkl", data), tmp_path / "out")


def test_a_content_outside_the_square_is_refused(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "state")
    with pytest.raises(BundleError, match="not within 16x16"):
        import_checkpoint(path, tmp_path / "out", content=(0, 0, 17, 16))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("base", "expected"), [(1 << 40, "channel_base is 1099511627776"), (1 << 16, "incomplete or")])
def test_a_file_of_our_own_that_claims_a_huge_network_is_refused(tmp_path: Path, base: int, expected: str) -> None:
    path = tmp_path / "huge.safetensors"
    config = {"resolution": 1024, "channel_base": base, "channel_max": 1 << 16, "mapping_layers": 1}
    write_tensors(path, {"const": torch.zeros(1), "other": torch.zeros(1)}, {"config": json.dumps(config)})
    assert expected in refused(path, tmp_path / "out")


DAMAGE = st.tuples(st.sampled_from(["tensorflow", "state"]), st.integers(0, 10_000), st.integers(0, 5))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DAMAGE)
def test_any_one_tensor_that_is_wrong_gives_one_sentence(tmp_path: Path, damage: tuple[str, int, int]) -> None:
    kind, place, way = damage
    twin = stylegan2_tensorflow_twin if kind == "tensorflow" else stylegan2_port_twin
    state = dict(twin.random_generator(0, SMALL))
    name = sorted(set(state) - {"lod"})[place % (len(state) - (kind == "tensorflow"))]
    value = np.asarray(state.pop(name))
    changed = [
        None,
        value[None],
        np.concatenate([value.reshape(-1), np.ones(1, np.float32)]),
        np.zeros((0,), np.float32),
        np.zeros((2, 3, 1, 5, 1), np.float32),
    ]
    if way == 5:
        state[name + "_more"] = value
    elif changed[way] is not None:
        state[name] = changed[way]
    if kind == "tensorflow":
        path = write(tmp_path, "a.pkl", pickled((tensorflow_networks(state),) * 3))
    else:
        tensors = {key: torch.as_tensor(array) for key, array in state.items()}
        path = write(tmp_path, "a.pt", saved({"g_ema": tensors, "latent_avg": torch.zeros(7)}))
    try:
        found = read_generator(path)
    except CheckpointError as error:
        assert_one_sentence(error, path)
    else:
        # A dimension of size 1 more or less changes nothing, nor does a filter, always the same, that is not there.
        assert way == 1 or (way == 0 and name.endswith(".kernel"))
        assert stylegan2_import.check_generator(found.generator, "a") is None
