#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the programs as the image does, twice, from what is committed: in two folders of different names and with two build caches that
# are empty, and compares the results bit by bit. Prints their SHA-256.
set -eu -o pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=${VERSION:-reproducible}
# Whatever is committed meanwhile.
commit=$(git rev-parse HEAD)
for folder in a another/folder; do
	mkdir -p "$work/$folder"
	git archive "$commit" | tar -x -C "$work/$folder"
	echo "building in folder ${folder##*/}"
	GOCACHE="$work/cache-${folder##*/}" GOFLAGS=-trimpath make -C "$work/$folder" build "VERSION=$version" >/dev/null
done
for program in daprise-webhook daprise; do
	cmp "$work/a/bin/$program" "$work/another/folder/bin/$program"
	sha256sum "$work/a/bin/$program" | sed "s#$work/a/##"
done
echo "both builds are the same"
