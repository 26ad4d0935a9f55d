#!/usr/bin/env bash
# Before chapter 06: recommendations are live, as chapter 04 left them before its undo;
# the reviews are in the monolith.
. "$(dirname "$0")/../lib.sh"
echo "Chapter 06 begins with recommendations live and the reviews in the monolith."
fresh_demo
record_before
recommendations_live
