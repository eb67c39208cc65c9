# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderer's Triton kernels against their plain twins, in Triton's interpreter and, where there is one, on a GPU.

Triton decides at its import whether it interprets, and other tests may have imported it by then: what runs in the
interpreter runs in a process of its own.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from backend.render import pairs, searches, soft_mask, triton_kernels
from backend.render.soft_mask import SoftMaskConfig
from backend.render.triangles import Raster, can_be_drawn, edge_functions, screen_triangles

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available() or INTERPRETED, reason="there is no CUDA device")
NEAR = 1e-4


class Scene(NamedTuple):
    screen: torch.Tensor
    faces: torch.Tensor
    raster: Raster

    def found_by(self, module, *, perspective: bool = True, cull: bool = True) -> torch.Tensor:
        triangles = screen_triangles(self.screen, self.faces)
        drawn = can_be_drawn(triangles, cull_back_faces=cull)
        order = pairs.nearness(triangles, perspective)
        return module.nearest_triangles(triangles, edge_functions(triangles), order, drawn, self.raster)

    def margins_by(self, module, margin: float, *, perspective: bool = True, cull: bool = True) -> torch.Tensor:
        """The crisp layer's depth is made up: infinite where nothing is seen, anything elsewhere."""
        triangles = screen_triangles(self.screen, self.faces)
        drawn = can_be_drawn(triangles, cull_back_faces=cull)
        any_depth = 0.5 + 2 * torch.rand(self.raster.pixels, generator=torch.Generator().manual_seed(2))
        found = self.found_by(pairs, perspective=perspective, cull=cull)
        depth = torch.where(found < 0, torch.inf, any_depth.to(found.device))
        functions = edge_functions(triangles)
        return module.nearest_margins(triangles, functions, drawn, self.raster, margin, depth, perspective)

    def mask_by(self, module, config: SoftMaskConfig) -> tuple[torch.Tensor, torch.Tensor]:
        """The mask, and the gradient of a sum with weights that differ from pixel to pixel."""
        uncovered = (self.found_by(pairs) < 0).view(*self.raster)
        screen = self.screen.clone().requires_grad_()
        mask = module.soft_mask_of(screen, self.faces, uncovered, config, (12.0, 9.0), NEAR)
        weights = torch.linspace(-1, 2, mask.numel(), device=mask.device).view(mask.shape)
        (gradient,) = torch.autograd.grad((mask * weights).sum(), screen)
        return mask.detach(), gradient


def octahedra() -> Scene:
    """One closed surface in two pictures that are not square, reaching over a picture's side."""
    axes = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    faces = torch.tensor([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    turn = turn * turn.det().sign()
    turned = axes @ turn.T
    pictures = [
        torch.stack([turned[:, 0] * size + x, 8.7 - turned[:, 1] * size, 3 - turned[:, 2]], dim=1)
        for size, x in ((9.0, 12.3), (5.0, 2.1))
    ]
    return Scene(torch.stack(pictures), faces, Raster(2, 18, 27))


def scattered_triangles() -> Scene:
    """Loose triangles, facing both ways, some that nothing can draw, one over the whole picture, which is higher
    than the rows that all programs of a triangle take at once."""
    random = torch.Generator().manual_seed(1)
    places = torch.rand(2, 10, 1, 3, generator=random) * torch.tensor([17.0, 37.0, 1.0])
    corners = places + torch.randn(2, 10, 3, 3, generator=random) * torch.tensor([4.0, 4.0, 0.2])
    corners[..., 2] += 1
    corners[0, 0, 0, 0] = math.nan
    corners[0, 1, 1, 1] = math.inf
    corners[0, 2, 2, 2] = -1.0
    corners[0, 4, :, 0] += 300
    corners[0, 5] = corners[0, 6]
    corners[1, 0] = torch.tensor([[-30.0, -9, 1.9], [60, 4, 2.5], [2, 90, 2.1]])
    corners[1, 1, :, 1] -= 200
    faces = torch.arange(30).view(10, 3)
    faces[3, 1] = faces[3, 0]
    return Scene(corners.view(2, -1, 3), faces, Raster(2, 37, 17))


def square(depth: float = 2.0, orders: tuple[tuple[int, int, int], ...] = ((0, 1, 2), (0, 2, 3))) -> Scene:
    """A square whose corners are pixel centres, cut along a diagonal that passes through pixel centres."""
    corners = torch.tensor([[0.5, 0.5, depth], [0.5, 8.5, depth], [8.5, 8.5, depth], [8.5, 0.5, depth]])
    return Scene(corners[None], torch.tensor(orders), Raster(1, 9, 9))


class HostWaits(TorchDispatchMode):
    """Notes the operations that make the host wait for a GPU: those whose result's size or value it must know."""

    WAITING = ("_local_scalar_dense", "nonzero", "repeat_interleave", "masked_select", "_unique2", "bincount")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        by_flags = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in self.WAITING or by_flags:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@needs_triton
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_the_kernels_do_what_their_twins_do_in_the_interpreter():
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::TestInTheInterpreter"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout, done.stdout


class TestInTheInterpreter:
    __test__ = INTERPRETED

    @pytest.mark.parametrize("make, cull, perspective", [(octahedra, True, True), (scattered_triangles, False, False)])
    def test_every_pixel_sees_the_same_triangle(self, make, cull, perspective):
        scene = make()
        expected = scene.found_by(pairs, perspective=perspective, cull=cull)
        assert (expected >= 0).sum() > 100
        assert torch.equal(scene.found_by(triton_kernels, perspective=perspective, cull=cull), expected)

    @pytest.mark.parametrize("make, cull, perspective", [(octahedra, True, False), (scattered_triangles, False, True)])
    def test_every_pixel_has_the_same_margin(self, make, cull, perspective):
        scene = make()
        expected = scene.margins_by(pairs, 2.3, perspective=perspective, cull=cull)
        assert (expected >= 0).sum() > 50
        assert torch.equal(scene.margins_by(triton_kernels, 2.3, perspective=perspective, cull=cull), expected)

    @pytest.mark.parametrize(
        "make, config",
        [(octahedra, SoftMaskConfig(30.0, 0.35)), (scattered_triangles, SoftMaskConfig(300.0, 0.12))],
    )
    def test_the_soft_mask_and_its_gradient_are_the_same(self, make, config):
        scene = make()
        mask, gradient = scene.mask_by(triton_kernels, config)
        expected, expected_gradient = scene.mask_by(soft_mask, config)
        assert ((expected > 0.01) & (expected < 0.99)).sum() > 20 and expected_gradient.abs().max() > 0.1
        torch.testing.assert_close(mask, expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(gradient, expected_gradient, atol=1e-4, rtol=0)

    def test_faint_influences_keep_their_digits(self):
        scene = square()._replace(raster=Raster(1, 9, 40))
        mask, _ = scene.mask_by(triton_kernels, SoftMaskConfig(18.0, 2.0))
        # So far to the right, one triangle's side and the other one's lower corner are the closest points. Added to
        # 1 in float32, most of these influences would be lost.
        x, y = (torch.arange(16, 25).double() + 0.5 - 8.5) / 12, 4 / 9
        side, corner = torch.exp(-18 * x**2), torch.exp(-18 * (x**2 + y**2))
        expected = side + corner - side * corner
        torch.testing.assert_close(mask[0, 4, 16:25].double(), expected, atol=0, rtol=1e-4)
        assert 0 < expected[-1] < 1e-13

    def test_of_equals_the_last_is_seen(self):
        scene = square(orders=((0, 1, 2), (0, 2, 3), (0, 2, 3), (0, 1, 2)))
        found = scene.found_by(triton_kernels).view(9, 9)
        below, above = torch.ones(9, 9).tril(-1).bool(), torch.ones(9, 9).triu(1).bool()
        assert (found[below] == 3).all() and (found[above] == 2).all() and (found.diagonal() == 3).all()

    def test_neighbours_leave_no_gap(self):
        random = torch.Generator().manual_seed(3)
        scene = square()
        for _ in range(4):
            turn = float(torch.rand(1, generator=random)) * math.pi
            spin = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
            screen = scene.screen.clone()
            screen[..., :2] = (screen[..., :2] - 4.5) @ (2.5 * spin) + 4.5
            assert (scene._replace(screen=screen).found_by(triton_kernels) >= 0).all()

    def test_nothing_makes_the_host_wait(self):
        scene = square()
        for module, waits in ((triton_kernels, False), (pairs, True)):
            with HostWaits() as host:
                scene.found_by(module)
            assert bool(host.found) == waits
        triangles = screen_triangles(scene.screen, scene.faces)
        functions, drawn = edge_functions(triangles), can_be_drawn(triangles, cull_back_faces=True)
        screen = scene.screen.clone().requires_grad_()
        uncovered = torch.ones(1, 9, 9, dtype=torch.bool)
        depth = torch.full((81,), torch.inf)
        with HostWaits() as host:
            triton_kernels.nearest_margins(triangles, functions, drawn, scene.raster, 1.0, depth, True)
            mask = triton_kernels.soft_mask_of(screen, scene.faces, uncovered, SoftMaskConfig(), (4.5, 4.5), NEAR)
            mask.sum().backward()
        assert host.found == []

    def test_empty_scenes(self):
        scene = square()
        for empty in (
            scene._replace(faces=scene.faces[:0]),
            scene._replace(raster=Raster(1, 0, 9)),
            Scene(scene.screen[:0], scene.faces, Raster(0, 9, 9)),
        ):
            found = empty.found_by(triton_kernels)
            assert found.shape == (empty.raster.pixels,) and (found == -1).all()

    def test_the_check_at_first_use_passes(self):
        assert searches._differences(torch.device("cpu")) == []

    def test_the_check_at_first_use_notices_differences(self, monkeypatch):
        monkeypatch.setattr(triton_kernels, "nearest_triangles", lambda *scene: pairs.nearest_triangles(*scene) - 1)
        monkeypatch.setattr(triton_kernels, "nearest_margins", pairs.nearest_margins)
        monkeypatch.setattr(
            triton_kernels, "soft_mask_of", lambda *scene: soft_mask.soft_mask_of(*scene) * torch.nan
        )  # fmt: skip
        differing = searches._differences(torch.device("cpu"))
        assert differing == ["nearest triangles", "soft mask", "soft mask's gradient"]


def on_gpu(dtype: torch.dtype = torch.float32, device: str = "cuda:0") -> SimpleNamespace:
    """As much of a CUDA tensor as the decision looks at."""
    return SimpleNamespace(is_cuda=device != "cpu", dtype=dtype, device=torch.device(device))


@pytest.fixture
def trusting(monkeypatch) -> list[torch.device]:
    """Kernels that pass their check; the devices that were checked."""
    checked: list[torch.device] = []
    monkeypatch.setattr(searches, "AVAILABLE", True)
    monkeypatch.setattr(searches, "_trusted", {})
    monkeypatch.setattr(searches, "_differences", lambda device: checked.append(device) or [])
    monkeypatch.delenv(searches.SWITCH, raising=False)
    return checked


def test_kernels_are_used_once_checked_on_the_device(trusting):
    assert all(searches.use_kernels(on_gpu(device=device)) for device in ("cuda:0", "cuda:1", "cuda:0"))
    assert trusting == [torch.device("cuda:0"), torch.device("cuda:1")]


def test_kernels_are_for_single_precision_on_a_gpu_alone(trusting, monkeypatch):
    assert not searches.use_kernels(on_gpu(torch.float64))
    assert not searches.use_kernels(on_gpu(device="cpu"))
    monkeypatch.setattr(searches, "AVAILABLE", False)
    assert not searches.use_kernels(on_gpu())
    assert trusting == []


def test_a_variable_switches_the_kernels_off(trusting, monkeypatch):
    monkeypatch.setenv("UNRENDER_TRITON", "0")
    assert not searches.use_kernels(on_gpu())
    assert trusting == []


def fail(device: torch.device) -> list[str]:
    raise RuntimeError("no compiler")


@pytest.mark.parametrize("check, said", [(fail, "no compiler"), (lambda device: ["soft mask"], "soft mask")])
def test_kernels_that_fail_their_check_are_left_alone_after_one_warning(trusting, monkeypatch, caplog, check, said):
    monkeypatch.setattr(searches, "_differences", check)
    with caplog.at_level(logging.WARNING):
        assert not any(searches.use_kernels(on_gpu()) for _ in range(3))
    assert len(caplog.records) == 1 and said in caplog.text


def test_a_limit_to_the_faces_is_refused():
    scene = square()
    with pytest.raises(ValueError, match="maximal_faces"):
        scene.mask_by(triton_kernels, SoftMaskConfig(maximal_faces=30))


@needs_gpu
@needs_triton
@pytest.mark.parametrize("make", [octahedra, scattered_triangles])
def test_the_gpu_finds_what_the_cpu_finds_and_never_makes_the_host_wait(make):
    on_cpu = make()
    scene = Scene(on_cpu.screen.cuda(), on_cpu.faces.cuda(), on_cpu.raster)
    assert searches.use_kernels(scene.screen)
    config = SoftMaskConfig(300.0, 0.12)

    assert (scene.found_by(triton_kernels).cpu() != on_cpu.found_by(pairs)).float().mean() < 0.005
    assert (scene.margins_by(triton_kernels, 2.3).cpu() != on_cpu.margins_by(pairs, 2.3)).float().mean() < 0.01
    mask, gradient = scene.mask_by(triton_kernels, config)
    expected, expected_gradient = on_cpu.mask_by(soft_mask, config)
    torch.testing.assert_close(mask.cpu(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient.cpu(), expected_gradient, atol=1e-3, rtol=0)

    uncovered = torch.ones(tuple(scene.raster), dtype=torch.bool, device="cuda")
    behind = torch.full((scene.raster.pixels,), torch.inf, device="cuda")
    screen = scene.screen.clone().requires_grad_()
    triangles = screen_triangles(scene.screen, scene.faces)
    torch.cuda.set_sync_debug_mode("error")
    try:
        scene.found_by(triton_kernels)
        functions, drawn = edge_functions(triangles), can_be_drawn(triangles, cull_back_faces=True)
        triton_kernels.nearest_margins(triangles, functions, drawn, scene.raster, 2.3, behind, True)
        triton_kernels.soft_mask_of(screen, scene.faces, uncovered, config, (12.0, 9.0), NEAR).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
