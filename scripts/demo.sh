#!/bin/sh
# Sets up, then lints the model files in fixtures/ and two published networks.
#
# Some of the fixtures are broken on purpose, so shapelint ends with status 1 here: it found something.
# That is the expected outcome, and this script ends with 0 for it; with anything else, it fails.
set -eu
sh "$(dirname "$0")/setup.sh"
cd "$(dirname "$0")/.."
status=0
"${SHAPELINT_VENV:-.venv}/bin/shapelint" check fixtures \
    'monai.networks.nets:UNet(spatial_dims=2, in_channels=1, out_channels=2, channels=(16, 32, 64), strides=(2, 2))' \
    'monai.networks.nets:SegResNet(spatial_dims=2)' \
    "$@" || status=$?
if [ "$status" -ne 1 ]; then
    echo "demo: status $status; expected 1, because some fixtures are broken on purpose" >&2
    exit 1
fi
echo "demo: as expected, the fixtures that are broken on purpose were found (status 1)" >&2
