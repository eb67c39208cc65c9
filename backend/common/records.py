# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What travels between Blender's process and the worker: plain dataclasses of numbers, texts and NumPy arrays.

The conventions of every field are those of ``backend/render/camera.py``. This module imports the standard library and
NumPy alone, because Blender's process imports it too.

Letters in the shapes: V vertices, F quads, H and W the photo's size, T the texture's side, S and C the lengths of the
shape code and of the texture code, A axles, R surface regions, K the length of a code of shape and markings.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NUMBER_OF_SLIDERS = 6
"""How many main directions of the shape code, and of the texture code, have a slider."""

QUALITIES = ("draft", "standard", "fine")
"""How much work an object is worth: none beyond the networks, refinement, and refinement with free vertices."""

OWN_CUT_OUT = "own"
"""The cut-out model that stands for the bundle's own segmenter."""

DEFAULT_BUNDLE = "car"
"""The weights where nobody names others, however many bundles are at hand."""


def _nothing() -> np.ndarray:
    return np.zeros(0, np.float32)


def _no_map() -> np.ndarray:
    return np.zeros((0, 0, 3), np.uint8)


def _no_pictures() -> np.ndarray:
    return np.zeros((0, 0, 0, 3), np.uint8)


def _no_directions() -> np.ndarray:
    return np.zeros((0, 0, 0), np.float32)


def _no_mask() -> np.ndarray:
    return np.zeros((0, 0), np.uint8)


@dataclass(frozen=True)
class Camera:
    """A camera that looks at the world's origin; angles in radians, lengths in the longest side of the object.

    ``field_of_view`` is vertical. ``shift_x`` and ``shift_y`` say where the origin is seen: right of and above the
    picture's centre, in fractions of the longer side of the picture.
    """

    azimuth: float
    elevation: float
    distance: float
    roll: float = 0.0
    field_of_view: float = 0.6
    shift_x: float = 0.0
    shift_y: float = 0.0


@dataclass
class ReconstructRequest:
    """One photograph to make an object from."""

    image_path: str
    mask_path: str = ""
    """A picture whose brightness (or alpha, where it has one) is the mask; empty: cut out automatically."""
    bundle: str = DEFAULT_BUNDLE
    device: str = "auto"
    quality: str = "standard"
    """One of ``QUALITIES``."""
    refine_steps: int = -1
    """Steps of optimisation against the photo; 0: none; -1: as many as the quality says."""
    cutout_model: str = ""
    """ONNX file of a salient-object network that cuts out; ``OWN_CUT_OUT``: the bundle's segmenter; empty: a network
    from the places where such files are kept, else the segmenter."""
    point: list[float] = field(default_factory=list)
    """x and y of a place on the object, in pixels of the upright file from its upper left; empty: the category says
    which object it is."""
    azimuth: float | None = None
    """The direction that the object is known to be seen from, in radians; None: it is found."""
    texture_size: int = 0
    """Side of the texture in texels; 0: follows the photo, up to what the quality is worth."""
    with_parts: bool = True
    """Whether an object with parts is made where the bundle knows of any; else one surface."""
    further_paths: list[str] = field(default_factory=list)
    """Further photographs of the same object; mask, point and azimuth are of the first alone."""


@dataclass
class ObjectParts:
    """What the template knows of its parts: closed components of the mesh that share no vertex with one another."""

    names: list[str]
    """The parts' names, such as body, cabin, wheel_front_left and mirror_right."""
    of_quad: np.ndarray
    """(F,) int32: the part of each quad, an index into ``names``."""
    axle_parts: np.ndarray
    """(A,) int32: the part that turns about each axle."""
    axle_positions: np.ndarray
    """(A, 3) float32: a point on each axle, in the canonical frame."""
    axle_directions: np.ndarray
    """(A, 3) float32: each axle's unit vector, towards the object's left (+X)."""
    regions: list[str]
    """The surface regions' names, such as paint, glass, chrome, rubber, rim and underside."""
    region_of_quad: np.ndarray
    """(F,) int32: the region that most of each quad shows, an index into ``regions``."""
    palette: np.ndarray
    """(R, 5) float32: each region's sRGB red, green and blue, its roughness and how metallic it is."""
    surface: np.ndarray
    """(T, T, 2) uint8 maps of roughness and metallic beside the texture; row 0 at the top."""
    coat: np.ndarray = field(default_factory=_no_mask)
    """(T, T) uint8 share of clear lacquer over what ``surface`` says; empty: nothing has any."""
    normal: np.ndarray = field(default_factory=_no_map)
    """(T, T, 3) uint8 normals in tangent space, green along v, which goes up (OpenGL); empty: the surface is smooth."""
    photo: np.ndarray = field(default_factory=_no_map)
    """(T, T, 3) uint8 sRGB in the photo's own light: its pixels where it shows the surface; empty: unknown."""
    region_map: np.ndarray = field(default_factory=_no_map)
    """(T, T, 3) uint8: which colours of the palette make up each texel, see :mod:`region_map`; empty: unknown."""


@dataclass
class Alternative:
    """Another direction that a photo may have been taken from."""

    azimuth: float
    """Radians; asked for as ``ReconstructRequest.azimuth`` it gives the object that is seen from there."""
    probability: float
    """How likely it is to be the right one."""
    picture: np.ndarray
    """(h, w, 4) uint8: the object as it would be seen, painted by its markings, with alpha."""


@dataclass
class FurtherPhoto:
    """Another photograph that an object was made from, beside the first."""

    name: str
    """The file's name without folder and ending."""
    path: str
    image_width: int
    image_height: int
    camera: Camera
    """The camera of this whole photo, around the same object."""
    mask: np.ndarray
    """(H, W) uint8 cut-out of this photo."""
    silhouette_iou: float = 0.0
    """With this photo's own ``mask``."""


@dataclass
class Reconstruction:
    """A textured mesh, the camera that took the photo and the light, in the canonical frame."""

    name: str
    image_width: int
    image_height: int
    vertices: np.ndarray
    """(V, 3) float32; box centred at the origin, longest side about 1, front towards -Y. Of a generated surface the
    origin is where its training had it: its own middle."""
    quads: np.ndarray
    """(F, 4) int32 corners, counter-clockwise seen from outside; (F, 3) where a surface has triangles alone."""
    uv: np.ndarray
    """(F, 4, 2) or (F, 3, 2) float32, one UV per corner, origin bottom left."""
    texture: np.ndarray
    """(T, T, 3) uint8 sRGB albedo; row 0 at the top."""
    camera: Camera
    """The camera of the whole photo, in its own shape W x H."""
    light: np.ndarray
    """(9, 3) float32 spherical-harmonic coefficients of irradiance / pi, linear, world axes."""
    mask: np.ndarray
    """(H, W) uint8 cut-out of the photo."""
    shape_code: np.ndarray
    """(S,) float32."""
    texture_code: np.ndarray
    """(C,) float32."""
    offsets: np.ndarray
    """(V, 3) float32 that refinement added: vertices = decode(shape_code) + offsets."""
    bundle: str = DEFAULT_BUNDLE
    real_size: float = 4.5
    """Metres of the longest side; the default of the bundle's category."""
    silhouette_iou: float = 0.0
    """With ``mask``, the product's own, onto which refinement bends the shape: it says nothing about the truth."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage."""
    warnings: list[str] = field(default_factory=list)
    """Sentences for the user about what was doubtful."""
    parts: ObjectParts | None = None
    """The parts of a template that has any; None: the mesh is one surface."""
    mask_source: str = ""
    """Where the mask came from: "alpha", "file", "segmenter", or the name of a cut-out model's file."""
    confidence: float | None = None
    """Probability that the direction of view is right, calibrated on labelled photographs; None: unknown."""
    evidence: dict[str, float] = field(default_factory=dict)
    """The numbers that ``confidence`` was made from."""
    provenance: dict[str, str] = field(default_factory=dict)
    """How it was made: version, weights, settings and hashes of the files."""
    alternatives: list[Alternative] = field(default_factory=list)
    """Other directions of view, the likeliest first, where the choice is nearly a tie; else none."""
    photo_path: str = ""
    """The first photo that was used; another than the request's where that one could not be."""
    further: list[FurtherPhoto] = field(default_factory=list)
    """The further photographs that were used, in the order of the request."""
    shape_directions: np.ndarray = field(default_factory=_no_directions)
    """(6, V, 3) float32: what one standard deviation of each shape slider adds to a surface's vertices; (0, 0, 0) for
    an object with parts, whose sliders have a shape space."""
    background: np.ndarray = field(default_factory=_no_map)
    """(b, b, 3) uint8 sRGB that a generator of shapes made behind its object, whose camera sees the middle of it alone;
    empty: there is none."""
    background_factor: float = 1.0
    """How much wider and higher than the camera's square ``background`` is; that has the picture's longer side."""
    sides: np.ndarray = field(default_factory=_no_pictures)
    """(5, h, h, 3) uint8 small pictures from 90° at the right to 90° at the left, where they were asked for."""


@dataclass
class GenerateRequest:
    """Asks for a new object, from a seed or from given numbers; the answer is a :class:`Reconstruction`.

    It has parts where the bundle has a template with parts; else the bundle's generator of shapes makes a surface.
    """

    seed: int = 0
    """The same seed gives the same object."""
    truncation: float = 0.9
    """Scale of the code's distance from the mean object; 0: the mean object itself."""
    texture_size: int = 0
    """Side of the texture in texels; 0: what the weights are worth."""
    code: np.ndarray = field(default_factory=_nothing)
    """(K,) float32 shape-and-markings code, or the ``shape_code`` that a generator of shapes gave with its object;
    empty: from the seed."""
    palette: np.ndarray = field(default_factory=_nothing)
    """(R, 5) float32 as in :class:`ObjectParts`; empty: from the seed. Surfaces have none."""
    bundle: str = DEFAULT_BUNDLE
    device: str = "auto"
    with_parts: bool = True
    """Whether the template with parts makes the object where the bundle has a generator of shapes as well."""
    towards: int = -1
    """Seed of another object, to which the object is on the way; -1: none."""
    step: float = 0.0
    """How far on that way, 0 to 1."""
    sides: int = 0
    """Height in pixels of ``Reconstruction.sides``; 0: none are wanted."""


@dataclass
class EditRequest:
    """Moves an object's codes along their main directions; slider values in standard deviations."""

    shape_code: np.ndarray
    texture_code: np.ndarray
    shape_sliders: np.ndarray
    """(6,) float32."""
    texture_sliders: np.ndarray
    """(6,) float32."""
    bundle: str = DEFAULT_BUNDLE
    device: str = "auto"


@dataclass
class Edit:
    """What an :class:`EditRequest` changes."""

    vertices: np.ndarray
    """(V, 3) float32: decode(moved shape code), without the object's own offsets."""
    texture_change: np.ndarray
    """(t, t, 3) float32: decoded texture of the moved code minus that of the given one, sRGB; add it, resized."""


@dataclass
class NeuralRenderRequest:
    """Asks for StyleGAN-R's picture of an object: of its camera, shape, texture and background."""

    shape_code: np.ndarray
    """(K,) float32 code of the object's shape at its sliders."""
    texture: np.ndarray
    """(t, t, 3) uint8 sRGB atlas; row 0 at the top."""
    camera: Camera
    """As in :class:`Reconstruction`, but of a square picture."""
    background: np.ndarray
    """(h, w, 4) uint8 sRGB of the square picture; alpha says where it is known. (1, 1, 4) is one plain colour."""
    bundle: str = DEFAULT_BUNDLE
    device: str = "auto"


@dataclass
class NeuralRender:
    """The answer to a :class:`NeuralRenderRequest`."""

    picture: np.ndarray
    """(R, R, 3) uint8 sRGB."""
    drawn: np.ndarray
    """(R, R, 4) uint8: the same shape and texture through the rasteriser, transparent around the object."""


@dataclass
class CutOutRequest:
    """Asks for the mask alone, so that the user can look at it and replace it."""

    image_path: str
    bundle: str = DEFAULT_BUNDLE
    device: str = "auto"
    cutout_model: str = ""
    """As in :class:`ReconstructRequest`."""
    point: list[float] = field(default_factory=list)
    """As in :class:`ReconstructRequest`."""


@dataclass
class CutOut:
    """The mask found for a photo."""

    mask: np.ndarray
    """(H, W) uint8."""
    source: str
    """"alpha", "file", "segmenter", or the name of a cut-out model's file."""
    warnings: list[str] = field(default_factory=list)
    """Sentences for the user about the model that was used."""


@dataclass
class ImportWeightsRequest:
    """Makes a bundle of a StyleGAN2 checkpoint."""

    path: str
    folder: str
    """Folder of bundles, in which the new one becomes a folder."""
    name: str = ""
    """Name of the bundle; empty: the file's."""
    licence: str = ""
    """Terms of the weights; empty: what is known of the file."""
    picture_height: int = 0
    picture_width: int = 0
    """Pixels of the picture in the middle of the generator's square; 0: what is known of the file, else all of it."""
    replace: bool = False
    """Whether an imported generator of the same name gives way."""


@dataclass
class ImportedWeights:
    """The bundle that an :class:`ImportWeightsRequest` made."""

    name: str
    folder: str
    description: str
    """Description of what was found."""
    width: int
    height: int
    """Pixels of the generator's pictures."""
    licence: str
    notes: list[str] = field(default_factory=list)
    """Sentences for the user."""


@dataclass
class Progress:
    """Sent while a request runs."""

    stage: str
    """A few words for the user, such as "Cutting out"."""
    fraction: float
    """Part of the whole request that is done, from 0 to 1."""
    preview: np.ndarray | None = None
    """(h, w, 3) uint8, small."""
