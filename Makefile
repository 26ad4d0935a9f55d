# One line a target; bare `make` prints them.
.DEFAULT_GOAL := help
SHELL := bash
# -count=1: many tests run the built programs, which the test cache cannot see.
# -s -w: without tables for debuggers (LDFLAGS= has them) everything is linked in half the time.
LDFLAGS ?= -s -w
GO_TEST ?= go test -count=1 -ldflags='$(LDFLAGS)'
BUILD ?= go build -ldflags='$(LDFLAGS)'

.PHONY: help
help: ## print the targets
	@grep -hE '^[a-zA-Z_-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: build
build: ## build every program into bin/
	@mkdir -p bin
	@$(BUILD) -o bin/ ./cmd/...

.PHONY: demo
demo: build ## run the shop behind the proxy (Ctrl-C stops everything)
	@bin/strangler demo

.PHONY: demo-reset
demo-reset: ## forget what the demo wrote, so that it starts afresh
	@[ ! -x bin/strangler ] || bin/strangler demo stop >/dev/null 2>&1 || true
	rm -rf var/demo

.PHONY: test
test: build ## run all tests: unit, crash, browser, acceptance suite, tutorial
	@rm -rf artifacts && mkdir -p artifacts
	$(GO_TEST) -artifacts -outputdir=$(CURDIR)/artifacts ./...

.PHONY: race
race: ## run the tests of the libraries with the race detector
	go test -race ./extracted/... ./internal/... ./migrations/... ./monolith/... ./strangler-proxy/...

.PHONY: soak
soak: build ## run the long tests
	SOAK=1 $(GO_TEST) -timeout 60m ./...

.PHONY: bench
bench: build ## run the benchmarks and write docs/benchmarks.md (bench-proxy: that part)
	go run ./internal/bench

.PHONY: bench-shop bench-proxy bench-flip bench-split bench-compare
bench-shop bench-proxy bench-flip bench-split bench-compare: bench-%: build
	go run ./internal/bench -part $*

.PHONY: lint
lint: ## vet and lint
	go vet ./...
	go tool -modfile=tools/go.mod golangci-lint run ./...

.PHONY: fmt
fmt: ## format the code
	go tool -modfile=tools/go.mod gofumpt -w $$(git ls-files '*.go')

.PHONY: check
check: lint test ## what must be green before a commit lands

.PHONY: doctor
doctor: build ## say what is missing on this machine
	@bin/strangler doctor

.PHONY: tutorial-fix
tutorial-fix: ## run the tutorial's chapters and rewrite the output that drifted
	go test -count=1 ./internal/tutorial -run 'TestChapters|TestEmbedded' -args -fix

include docs/tutorial/tutorial.mk
