#!/usr/bin/env bash
# results.sh FILE: what a run of the acceptance suite, recorded with `go test -json`,
# came to: a line for each check, and the sum. It holds no times, so two runs that
# agree give the same text.
set -euo pipefail
[ $# = 1 ] && [ -r "$1" ] || { echo "usage: results.sh RECORDING, written by: go test -json ./acceptance > RECORDING" >&2; exit 2; }
sed -nE 's/^.*"Action":"(pass|fail|skip)".*"Test":"([^"]*)".*$/\1 \2/p' "$1" | LC_ALL=C sort -k2 | awk '
	{ print; count[$1]++ }
	END { printf "%d checks: %d passed, %d failed, %d skipped\n", NR, count["pass"], count["fail"], count["skip"] }'
