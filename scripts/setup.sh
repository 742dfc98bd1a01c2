#!/bin/sh
# Makes .venv with PyTorch, shapelint and what its tests need. Where that is done already, it does nothing.
#   PYTHON          the interpreter to use (python3; 3.11 or newer)
#   SHAPELINT_VENV  where to put it (.venv)
set -eu
cd "$(dirname "$0")/.."
venv=${SHAPELINT_VENV:-.venv}
python=${PYTHON:-python3}
# The stamp carries a checksum of pyproject.toml: changed requirements are installed at the next call.
stamp="$venv/set-up-$(cksum < pyproject.toml | cut -d ' ' -f 1)"
if [ -e "$stamp" ]; then exit 0; fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: Python 3.11 or newer is needed; name one: PYTHON=python3.12 sh $0" >&2
    exit 2
fi
echo "setup: installing into $venv (once)" >&2
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
# PyTorch first and by its exact version, so that nothing below asks for another build of it.
torch=$(sed -n 's/^ *"\(torch==[0-9.]*\)",*$/\1/p' pyproject.toml)
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$torch"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
rm -f "$venv"/set-up-*
touch "$stamp"
