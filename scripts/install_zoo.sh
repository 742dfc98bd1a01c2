#!/bin/sh
# Adds the published networks that tests/zoo compares with (the "zoo" extra of pyproject.toml) to the set-up environment.
#
# The networks themselves come without their dependencies: some name torchvision or timm, which would bring another
# build of PyTorch. What their model files really import is installed beside them.
set -eu
sh "$(dirname "$0")/setup.sh"
cd "$(dirname "$0")/.."
pip="${SHAPELINT_VENV:-.venv}/bin/python -m pip install --quiet --disable-pip-version-check"
zoo=$(sed -n '/^zoo = \[/,/^]/s/^ *"\([^"]*\)",*$/\1/p' pyproject.toml)
# shellcheck disable=SC2086 # both are lists of words
$pip --no-deps $zoo
$pip filelock huggingface-hub importlib-metadata packaging pillow pyyaml regex requests safetensors tokenizers tqdm typer
