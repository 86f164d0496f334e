#!/usr/bin/env bash
# Train on several processes of one machine: tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# More machines: set NNODES, NODE_RANK and MASTER_ADDR on each.
set -euo pipefail
config=$1 processes=$2
exec "${PYTHON:-python}" -m torch.distributed.run --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
