#!/usr/bin/env bash
# The containers, seen from outside: builds the images, brings compose.yaml up under a name and on ports of its own,
# stores phantoms over DICOM, finds every label in Orthanc, kills and restarts, and takes it all down again.
# Exit status 0: all passed; 1: something failed; 77: skipped, this machine cannot run it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

skip() {
    echo "compose: skipped, $*"
    exit 77
}

for tool in podman podman-compose; do
    command -v "$tool" >/dev/null || skip "there is no $tool here"
done
for suite in trixie forky; do
    podman image exists "docker.io/library/debian:$suite-slim" || podman pull --quiet "docker.io/library/debian:$suite-slim" \
        >/dev/null 2>&1 || skip "there is no image docker.io/library/debian:$suite-slim here, and none to be pulled"
done
python=${VENV:-.venv}/bin/python
[[ -x $python ]] || skip "there is no $python: make install"

# Where containers are nested in one, only this way of building works; it needs root.
if [[ $(id -u) == 0 ]]; then
    export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
fi
exec "$python" -W error -m tests.containers "$@" </dev/null
