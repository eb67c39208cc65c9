# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mask as soft beside its outline as a drawn silhouette is, so that a shape that fits it is not too small.

A soft silhouette reaches beyond the hard one; against a hard mask the best shape would be smaller by as much.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def softened(mask: Tensor, sharpness: float) -> Tensor:
    """The mask (S, S) in [0, 1] with exp(-sharpness d^2) beside its outline, d in halves of the picture's side."""
    inside = (mask > 0.5).cpu().numpy()
    if not inside.any():
        return mask
    pixels = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The outline lies half a pixel before the first pixel beside it.
    apart = np.maximum(pixels - 0.5, 0) / (0.5 * mask.shape[0])
    soft = np.where(inside, 1.0, np.exp(-sharpness * apart**2)).astype(np.float32)
    return torch.as_tensor(soft, device=mask.device)
