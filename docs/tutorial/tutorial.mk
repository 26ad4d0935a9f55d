# The tutorial's targets. chNN-start brings the demo to where chapter NN begins, from
# wherever it is; chNN-check says whether the chapter's goal is reached; chNN-undo takes
# the chapter's steps back. The scripts are in docs/tutorial/steps.
CHAPTERS := $(notdir $(wildcard docs/tutorial/steps/[0-9]*))
BUILD_SUITE ?= go test -c -o bin/acceptance.test ./acceptance

# The acceptance suite, compiled once: chapters run it again and again.
.PHONY: suite
suite: build
	@$(BUILD_SUITE)
$(filter-out ch00-start,$(CHAPTERS:%=ch%-start)): suite

.PHONY: $(CHAPTERS:%=ch%-start) $(CHAPTERS:%=ch%-check) $(CHAPTERS:%=ch%-undo)
$(CHAPTERS:%=ch%-start): ch%-start: build
	@docs/tutorial/steps/$*/start.sh
$(CHAPTERS:%=ch%-check): ch%-check:
	@docs/tutorial/steps/$*/check.sh
$(CHAPTERS:%=ch%-undo): ch%-undo:
	@docs/tutorial/steps/$*/undo.sh

.PHONY: tutorial
tutorial: ## print the tutorial's chapters and their targets
	@for page in docs/tutorial/[0-9]*.md; do \
		number=$$(basename $$page | cut -c1-2); \
		printf '  %-34s %s\n' "$$(sed -n '1s/^# //p' $$page)" "make ch$$number-start, ch$$number-check, ch$$number-undo"; \
	done
