#!/bin/sh
# Sets up, then runs the tests; arguments go to pytest: sh scripts/test.sh tests/ops -k conv
set -eu
sh "$(dirname "$0")/setup.sh"
cd "$(dirname "$0")/.."
exec "${SHAPELINT_VENV:-.venv}/bin/python" -m pytest -n auto "$@"
