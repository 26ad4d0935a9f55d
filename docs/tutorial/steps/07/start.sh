#!/usr/bin/env bash
# Before chapter 07: recommendations are live and the reviews have moved, as the chapters
# 04 and 06 left them before their undo; everything else is on the monolith.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/reviews.sh
. docs/tutorial/steps/catalog.sh
echo "Chapter 07 begins with recommendations live, the reviews moved and the catalog on the monolith."
fresh_demo
record_before
recommendations_live
move_reviews
did "the reviews service owns the reviews, as after chapter 06"
wait_for 30 same_catalog || die "the catalog service does not follow the monolith: see $dir/logs/catalog.log"
did "the catalog service has what the monolith has"
