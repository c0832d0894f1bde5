#!/usr/bin/env bash
# Lays kubeconform and the schemas of Kubernetes' API into a folder: from the Go proxy and from PyPI, where
# `kubernetes-validate` brings the schemas that kubeconform would else fetch from GitHub.
set -euo pipefail
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

GOBIN="$work" go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
echo "kubernetes-validate==1.37.0 --hash=sha256:85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9" >"$work/wheel.txt"
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$work" --require-hashes --requirement "$work/wheel.txt"
python3 - "$work" "v1.37.0-local-strict" <<'PYTHON'
import pathlib, re, sys, zipfile

work, version = pathlib.Path(sys.argv[1]), sys.argv[2]
wheel = next(work.glob("*.whl"))
schemas = work / "schemas"
schemas.mkdir()
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if f"/{version}/" not in name or not name.endswith(".json"):
            continue
        text = archive.read(name).decode()
        # Their names for themselves are addresses of a server; here they are files beside each other.
        text = re.sub(r',\s*"\$id": "[^"]*"', "", text).replace("/api/_definitions.json#", "_definitions.json#")
        (schemas / pathlib.PurePosixPath(name).name).write_text(text)
wheel.unlink()
PYTHON
chmod 755 "$work"
# Another run may have laid it meanwhile: one is as good as the other.
mv -T "$work" "$folder" 2>/dev/null || [ -x "$folder/kubeconform" ]
