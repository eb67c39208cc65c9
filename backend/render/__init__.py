# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A differentiable mesh renderer in plain torch, of use on its own: small functions on tensors, on a CPU as on a GPU.

From a scene to a loss, and where each step lives:

===============================  ==============================================================================
:mod:`.camera`                   every convention, stated once; world points to pixels and depth
:mod:`.rasterize`                the nearest face of every pixel, its barycentric weights and depth
:mod:`.fragments`                any attributes, interpolated
:mod:`.searches`                 ``soft_mask``, DIB-R's soft silhouette
:mod:`.boundary`                 paper B's renderer, whose pictures change linearly as edges cross pixels
:mod:`.shading`, :mod:`.light`   textures, vertex colours, normals; spherical-harmonic light and sRGB
:mod:`.picture`                  all of it in one call: ``render``
:mod:`.mesh_losses`              what keeps a deformed mesh in shape, and the silhouette loss
:mod:`.dibr`                     the rasteriser and soft mask under Kaolin's signatures
:mod:`.pytorch3d_adapter`        the same computed by PyTorch3D, where it is installed
===============================  ==============================================================================

:mod:`.triangles` and :mod:`.searches` are the machinery behind the rasterisers; the latter choose between plain torch
(:mod:`.pairs`, :mod:`.soft_mask`) and the kernels (:mod:`.triton_kernels`), which know nothing of each other.
"""
