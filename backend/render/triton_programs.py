# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the GPU: the programs, in Triton's language, that :mod:`.triton_kernels` launches.

One program takes one triangle, program_id(0), and every BANDS-th strip of ROWS rows of it, from program_id(1) on. A
strip is walked along in blocks of ROWS x COLUMNS pixels. Tables have one column a triangle, ``number`` of them, of
which each picture has ``faces``.

Where a program repeats a plain function ("twin of"), it does so operation by operation: ``fma`` where torch rounds
product and sum once, and divisions and roots that round as torch's do.

Letters: M triangles of all pictures, P pixels of all pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import triton
    import triton.language as tl
    from triton.language import constexpr
except ImportError:
    triton = None

AVAILABLE = triton is not None
"""Whether Triton is installed. Without it the kernels stay functions that nobody can call."""
_jit: Callable[[Any], Any] = triton.jit if AVAILABLE else lambda function: function


@_jit
def nearest_triangles_kernel(
    best, table, x, y, drawn, number, faces, height, width,
    SLACK: constexpr, TRIANGLE_BITS: constexpr, ROWS: constexpr, COLUMNS: constexpr, BANDS: constexpr,
):  # fmt: skip
    """best (P,): rank of the nearness above the triangle; table (15, M): a, b, anchors, shares of nearness."""
    triangle = tl.program_id(0).to(tl.int64)
    left, right = _extent(x, number, triangle, 0.0)
    if (tl.load(drawn + triangle) != 0) & (right >= 0.5) & (left <= width - 0.5):
        top, bottom = _extent(y, number, triangle, 0.0)
        first_row, last_row = _pixels(top, bottom, height)
        share_0, share_1, share_2 = _three(table, 12, number, triangle)
        slope_0, slope_1, slope_2 = _three(table, 0, number, triangle)
        slope = slope_0 * share_0 + slope_1 * share_1 + slope_2 * share_2
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            first, last = _inside(table, number, triangle, row, left, right, width, SLACK)
            last = tl.where(row <= last_row, last, first - 1)
            edge_0, edge_1, edge_2 = _edges_at(table, number, triangle, row, first)
            start = edge_0 * share_0 + edge_1 * share_1 + edge_2 * share_2
            row_start = ((triangle // faces) * height + row) * width
            begin, end = _union(first, last, width)
            for column in range(begin, end, COLUMNS):
                pixel = column + tl.arange(0, COLUMNS)[None, :]
                within = (pixel - first[:, None]).to(tl.float32)
                value = tl.fma(slope + 0 * within, within, start[:, None] + 0 * within)
                seen = (pixel >= first[:, None]) & (pixel <= last[:, None])
                ranked = _ranked(value, triangle, TRIANGLE_BITS)
                tl.atomic_max(best + row_start[:, None] + pixel, ranked, mask=seen, sem="relaxed")


@_jit
def nearest_margins_kernel(
    best, table, x, y, depth, outline, drawn, crisp_depth, number, margin, faces, height, width,
    PERSPECTIVE: constexpr, PUSH_BACK: constexpr, SLACK: constexpr, TRIANGLE_BITS: constexpr,
    ROWS: constexpr, COLUMNS: constexpr, BANDS: constexpr,
):  # fmt: skip
    """best as above; table (15, M): a, b, anchors, margin * length of the gradient; outline (6, 3, M)."""
    triangle = tl.program_id(0).to(tl.int64)
    left, right = _extent(x, number, triangle, margin)
    if (tl.load(drawn + triangle) != 0) & (right >= 0.5) & (left <= width - 0.5):
        top, bottom = _extent(y, number, triangle, margin)
        first_row, last_row = _pixels(top, bottom, height)
        depth_0, depth_1, depth_2 = _three(depth, 0, number, triangle)
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            outer_first, outer_last = _columns(table, number, triangle, row, left, right, width, SLACK, True)
            first, last = _inside(table, number, triangle, row, left, right, width, SLACK)
            outer_last = tl.where(row <= last_row, outer_last, -1)
            # A row without an inside is the left span as a whole.
            none = last < first
            first, last = tl.where(none, outer_last + 1, first), tl.where(none, outer_last, last)
            row_start = ((triangle // faces) * height + row) * width
            for side in tl.static_range(2):
                if side == 0:
                    span_first, span_last = outer_first, tl.minimum(first - 1, outer_last)
                else:
                    span_first, span_last = last + 1, outer_last
                begin, end = _union(span_first, span_last, width)
                for column in range(begin, end, COLUMNS):
                    pixel = column + tl.arange(0, COLUMNS)[None, :]
                    beside = (pixel >= span_first[:, None]) & (pixel <= span_last[:, None])
                    centre_x, centre_y = _centres(row, pixel)
                    squared, start, fraction, _, _ = _closest(outline, number, triangle, centre_x, centre_y)
                    distance = tl.sqrt_rn(squared)
                    at_start = tl.where(start == 0, depth_0, tl.where(start == 1, depth_1, depth_2))
                    at_end = tl.where(start == 0, depth_1, tl.where(start == 1, depth_2, depth_0))
                    if PERSPECTIVE:
                        at_start, at_end = tl.div_rn(1.0, at_start), tl.div_rn(1.0, at_end)
                    behind = _lerp(at_start, at_end, fraction)
                    if PERSPECTIVE:
                        behind = tl.div_rn(1.0, behind)
                    behind = behind * (1 + tl.div_rn(PUSH_BACK * distance, margin))
                    place = row_start[:, None] + pixel
                    crisp = tl.load(crisp_depth + place, mask=beside, other=0.0)
                    seen = beside & (distance < margin) & (behind < crisp)
                    tl.atomic_max(best + place, _ranked(-behind, triangle, TRIANGLE_BITS), mask=seen, sem="relaxed")


@_jit
def log_transparency_kernel(
    log_transparency, x, y, outline, counted, uncovered, number, unit_x, unit_y, sigma_inverse, box_length, opaque,
    faces, height, width, ROWS: constexpr, COLUMNS: constexpr, BANDS: constexpr,
):  # fmt: skip
    """log_transparency (P,): the sum of log(1 - influence) over the triangles near each uncovered pixel."""
    triangle = tl.program_id(0).to(tl.int64)
    if tl.load(counted + triangle) != 0:
        left, right = _extent(x, number, triangle, box_length * unit_x)
        top, bottom = _extent(y, number, triangle, box_length * unit_y)
        first_column, last_column = _pixels(left, right, width)
        first_row, last_row = _pixels(top, bottom, height)
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            row_start = ((triangle // faces) * height + row) * width
            for column in range(first_column, last_column + 1, COLUMNS):
                pixel = column + tl.arange(0, COLUMNS)[None, :]
                place = row_start[:, None] + pixel
                boxed = (row[:, None] <= last_row) & (pixel <= last_column)
                felt = tl.load(uncovered + place, mask=boxed, other=0) != 0
                if _any(felt):
                    centre_x, centre_y = _centres(row, pixel)
                    squared, _, _, _, _ = _closest(
                        outline, number, triangle, tl.div_rn(centre_x, unit_x),
                        tl.div_rn(centre_y, unit_y),
                    )  # fmt: skip
                    strength = tl.minimum(tl.exp(-sigma_inverse * squared), opaque)
                    tl.atomic_add(log_transparency + place, _log1p(-strength), mask=felt, sem="relaxed")


@_jit
def soft_corners_kernel(
    of_corners, of_log, x, y, outline, counted, uncovered, number, unit_x, unit_y, sigma_inverse, box_length, opaque,
    faces, height, width, ROWS: constexpr, COLUMNS: constexpr, BANDS: constexpr,
):  # fmt: skip
    """of_corners (BANDS, 2, 3, M): the gradient of the corners' x and y; of_log (P,): that of log_transparency."""
    triangle = tl.program_id(0).to(tl.int64)
    if tl.load(counted + triangle) != 0:
        left, right = _extent(x, number, triangle, box_length * unit_x)
        top, bottom = _extent(y, number, triangle, box_length * unit_y)
        first_column, last_column = _pixels(left, right, width)
        first_row, last_row = _pixels(top, bottom, height)
        x_0 = tl.zeros((ROWS, COLUMNS), tl.float32)
        y_0, x_1, y_1, x_2, y_2 = x_0, x_0, x_0, x_0, x_0
        for strip in range(first_row + tl.program_id(1) * ROWS, last_row + 1, BANDS * ROWS):
            row = strip + tl.arange(0, ROWS)
            row_start = ((triangle // faces) * height + row) * width
            for column in range(first_column, last_column + 1, COLUMNS):
                pixel = column + tl.arange(0, COLUMNS)[None, :]
                place = row_start[:, None] + pixel
                boxed = (row[:, None] <= last_row) & (pixel <= last_column)
                felt = tl.load(uncovered + place, mask=boxed, other=0) != 0
                if _any(felt):
                    centre_x, centre_y = _centres(row, pixel)
                    squared, start, fraction, away_x, away_y = _closest(
                        outline, number, triangle, tl.div_rn(centre_x, unit_x),
                        tl.div_rn(centre_y, unit_y),
                    )  # fmt: skip
                    strength = tl.minimum(tl.exp(-sigma_inverse * squared), opaque)
                    of_square = -sigma_inverse * strength / (1 - strength)
                    of_square = tl.where(felt, of_square * tl.load(of_log + place, mask=felt, other=0.0), 0.0)
                    of_x, of_y = -2 / unit_x * of_square * away_x, -2 / unit_y * of_square * away_y
                    weight = _corner_weight(start, fraction, 0)
                    x_0, y_0 = x_0 + weight * of_x, y_0 + weight * of_y
                    weight = _corner_weight(start, fraction, 1)
                    x_1, y_1 = x_1 + weight * of_x, y_1 + weight * of_y
                    weight = _corner_weight(start, fraction, 2)
                    x_2, y_2 = x_2 + weight * of_x, y_2 + weight * of_y
        of_corners += tl.program_id(1) * (6 * number) + triangle
        tl.store(of_corners, tl.sum(tl.sum(x_0, axis=1), axis=0))
        tl.store(of_corners + number, tl.sum(tl.sum(x_1, axis=1), axis=0))
        tl.store(of_corners + 2 * number, tl.sum(tl.sum(x_2, axis=1), axis=0))
        tl.store(of_corners + 3 * number, tl.sum(tl.sum(y_0, axis=1), axis=0))
        tl.store(of_corners + 4 * number, tl.sum(tl.sum(y_1, axis=1), axis=0))
        tl.store(of_corners + 5 * number, tl.sum(tl.sum(y_2, axis=1), axis=0))


@_jit
def _three(table, row, number, triangle):
    """Rows ``row`` to ``row + 2`` of a table whose columns are triangles."""
    at = table + row * number + triangle
    return tl.load(at), tl.load(at + number), tl.load(at + 2 * number)


@_jit
def _extent(coordinate, number, triangle, margin):
    """What the corners span, and the margin on both sides."""
    first, second, third = _three(coordinate, 0, number, triangle)
    return (
        tl.minimum(tl.minimum(first, second), third) - margin,
        tl.maximum(tl.maximum(first, second), third) + margin,
    )


@_jit
def _pixels(low, high, size):
    """Twin of :func:`pairs.pixel_range`."""
    first = tl.minimum(tl.maximum(tl.ceil(low - 0.5), 0.0), size * 1.0)
    last = tl.minimum(tl.maximum(tl.floor(high - 0.5), -1.0), size - 1.0)
    return first.to(tl.int32), last.to(tl.int32)


@_jit
def _union(first, last, width):
    """Begin and end of the columns that the spans of any row hold."""
    filled = first <= last
    return tl.min(tl.where(filled, first, width), axis=0), tl.max(tl.where(filled, last, -1), axis=0) + 1


@_jit
def _columns(table, number, triangle, row, left, right, width, SLACK: constexpr, MARGIN: constexpr):
    """Twin of :func:`pairs._columns`; with MARGIN the table's last three rows are how far it reaches."""
    y = row.to(tl.float32) + 0.5
    left, right = left + 0 * y, right + 0 * y
    for edge in tl.static_range(3):
        at = table + edge * number + triangle
        slope, anchor = tl.load(at), tl.load(at + 6 * number)
        reach = tl.load(at + 3 * number) * (y - tl.load(at + 9 * number))
        if MARGIN:
            reach += tl.load(at + 12 * number)
        crossing = anchor - tl.div_rn(reach, tl.where(slope == 0, 1.0, slope))
        left = tl.where(slope > 0, tl.maximum(left, crossing), left)
        right = tl.where(slope < 0, tl.minimum(right, crossing), right)
    first = tl.minimum(tl.maximum(tl.ceil(left - 0.5 - SLACK), 0.0), width * 1.0)
    last = tl.minimum(tl.maximum(tl.floor(right - 0.5 + SLACK), -1.0), width - 1.0)
    return first.to(tl.int32), last.to(tl.int32)


@_jit
def _inside(table, number, triangle, row, left, right, width, SLACK: constexpr):
    """Twin of :func:`pairs._inside`."""
    first, last = _columns(table, number, triangle, row, left, right, width, SLACK, False)
    first += (_lowest(table, number, triangle, row, first) < 0).to(tl.int32)
    last -= (_lowest(table, number, triangle, row, last) < 0).to(tl.int32)
    outside = (_lowest(table, number, triangle, row, first) < 0) | (_lowest(table, number, triangle, row, last) < 0)
    return first, tl.where(outside, first - 1, last)


@_jit
def _edges_at(table, number, triangle, row, column):
    """Twin of :func:`pairs._edges_at`."""
    slope_0, slope_1, slope_2 = _three(table, 0, number, triangle)
    across_0, across_1, across_2 = _three(table, 3, number, triangle)
    x_0, x_1, x_2 = _three(table, 6, number, triangle)
    y_0, y_1, y_2 = _three(table, 9, number, triangle)
    x, y = column.to(tl.float32) + 0.5, row.to(tl.float32) + 0.5
    return (
        slope_0 * (x - x_0) + across_0 * (y - y_0),
        slope_1 * (x - x_1) + across_1 * (y - y_1),
        slope_2 * (x - x_2) + across_2 * (y - y_2),
    )


@_jit
def _lowest(table, number, triangle, row, column):
    first, second, third = _edges_at(table, number, triangle, row, column)
    return tl.minimum(tl.minimum(first, second), third)


@_jit
def _ranked(value, triangle, TRIANGLE_BITS: constexpr):
    """Twin of what :func:`pairs._keep_nearest` compares: the rank of the value above the triangle."""
    bits = value.to(tl.int32, bitcast=True)
    rank = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.int64) + (1 << 31)
    return (rank << TRIANGLE_BITS) | triangle


@_jit
def _centres(row, column):
    """x and y of pixel centres, (ROWS, COLUMNS) both."""
    x, y = column.to(tl.float32) + 0.5, row.to(tl.float32)[:, None] + 0.5
    return x + 0 * y, y + 0 * x


@_jit
def _to_edge(outline, edge, number, triangle, x, y):
    """Squared distance to one edge of an outline, the closest point's fraction, and the way from it to the pixel."""
    at = outline + edge * number + triangle
    along_x, along_y = tl.load(at + 6 * number) + 0 * x, tl.load(at + 9 * number) + 0 * x
    over_x, over_y = tl.load(at + 12 * number) + 0 * x, tl.load(at + 15 * number) + 0 * x
    away_x, away_y = x - tl.load(at), y - tl.load(at + 3 * number)
    fraction = tl.minimum(tl.maximum(tl.fma(over_y, away_y, over_x * away_x), 0.0), 1.0)
    away_x, away_y = tl.fma(-fraction, along_x, away_x), tl.fma(-fraction, along_y, away_y)
    return tl.fma(away_y, away_y, away_x * away_x), fraction, away_x, away_y


@_jit
def _closest(outline, number, triangle, x, y):
    """Twin of :func:`triangles.closest_on_outline`: squared distance, starting corner, fraction, way to the pixel."""
    squared, fraction, away_x, away_y = _to_edge(outline, 0, number, triangle, x, y)
    start = tl.zeros_like(squared).to(tl.int32)
    for edge in tl.static_range(1, 3):
        squared_here, fraction_here, away_x_here, away_y_here = _to_edge(outline, edge, number, triangle, x, y)
        nearer = squared_here < squared
        start = tl.where(nearer, edge, start)
        fraction = tl.where(nearer, fraction_here, fraction)
        away_x, away_y = tl.where(nearer, away_x_here, away_x), tl.where(nearer, away_y_here, away_y)
        squared = tl.where(nearer, squared_here, squared)
    return squared, start, fraction, away_x, away_y


@_jit
def _lerp(start, end, weight):
    """torch.lerp, which starts from the nearer end."""
    return tl.where(weight < 0.5, tl.fma(weight, end - start, start), tl.fma(weight - 1, end - start, end))


@_jit
def _corner_weight(start, fraction, corner: constexpr):
    """The share of a corner in the closest point."""
    at_end = tl.where(start == (corner + 2) % 3, fraction, 0.0)
    return tl.where(start == corner, 1 - fraction, at_end)


@_jit
def _any(flags):
    return tl.max(tl.max(flags.to(tl.int32), axis=1), axis=0) != 0


@_jit
def _log1p(value):
    """log(1 + value), to full precision for small values: what rounding took from 1 + value is put back as a factor."""
    total = 1 + value
    change = total - 1
    exact = change == 0
    return tl.where(exact, value, tl.log(total) * (value / tl.where(exact, 1.0, change)))
