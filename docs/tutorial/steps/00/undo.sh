#!/usr/bin/env bash
# Takes chapter 00 back: nothing runs, nothing is stored.
. "$(dirname "$0")/../lib.sh"
stop_all
did "stopped the shop, the services and the proxy"
rm -rf "$dir"
did "removed $dir with all its data"
