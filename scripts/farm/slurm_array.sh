#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Photos to scenes as a job array of Slurm: every task makes its part of the photos, whatever their number.
#
#     sbatch --array=1-16 scripts/farm/slurm_array.sh PHOTOS OUT [options of image-to-3d]
#
# PHOTOS and OUT are folders that all machines see, or PHOTOS a pattern in quotes. A task that is submitted again, or
# put back by the scheduler, goes on where it stopped. Afterwards: blender --command unrender join OUT
#
#SBATCH --job-name=unrender
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --output=unrender-%A-%a.log
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: sbatch --array=1-N $0 PHOTOS OUT [options]" >&2
    exit 2
fi
photos=$1 out=$2
shift 2

# Arrays may begin at any number: with --array=3 alone, the third part of as many as PARTS says is made again.
parts=${PARTS:-${SLURM_ARRAY_TASK_COUNT:?submit this with --array=1-N}}
part=${SLURM_ARRAY_TASK_ID:?submit this with --array=1-N}

# Threads beyond the cores of the task would wait for one another.
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-2}

# exec: the scheduler's signal reaches Blender itself, which then ends in order with its report written.
exec "${BLENDER:-blender}" --command unrender image-to-3d "$photos" --out "$out" --shard "$part/$parts" --resume "$@"
