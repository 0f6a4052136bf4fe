# SPDX-License-Identifier: Apache-2.0

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# No C compiler is needed, except by make race.
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# Without -trimpath, so that it shares what the tests compile; the image is built with GOFLAGS=-trimpath.
BUILD := go build -ldflags "-s -w -X main.version=$(VERSION)"
LINT := .cache/tools/golangci-lint
export GOLANGCI_LINT_CACHE := $(CURDIR)/.cache/golangci-lint

# Modules to keep tidy: all but those whose go.mod says "// Not tidied: REASON".
MODULES = $(shell find . -name go.mod -not -path './.cache/*' -not -path '*/testdata/*' | xargs grep -L '^// Not tidied: ' | xargs -n1 dirname | sort)

# Packages to test, for example: make test PKG=./mesh/...
PKG ?= ./...

.PHONY: help
help: ## show this
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/' | expand -t 16

.PHONY: build
build: ## build bin/daprise-webhook and bin/daprise
	$(BUILD) -o bin/daprise-webhook ./cmd/daprise-webhook
	if [ -d cmd/daprise ]; then $(BUILD) -o bin/daprise ./cmd/daprise; fi

.PHONY: man
man: build ## write the man pages to bin/man
	rm -rf bin/man && bin/daprise man bin/man/man1

.PHONY: demo
demo: ## play the scenario on a real control plane; KEEP=1 leaves it running
	go run ./hack/demo $(if $(KEEP),-keep)

.PHONY: test
test: controlplane ## run all tests, those on a real control plane included
	go test -json -timeout 45m $(PKG) | go run ./hack/testsum

# What runs on the oldest Kubernetes that is supported: the suites that need an API server.
OLDEST ?= ./test/admission/... ./test/companions/... ./test/controller/... ./test/controlplane ./test/latecrds/... ./test/live/... ./test/operations/... ./test/routes/... ./test/scenario/... ./test/surroundings/...

.PHONY: test-oldest
test-oldest: controlplane-oldest ## run the suites on a control plane, on the oldest Kubernetes that is supported
	CONTROLPLANE=oldest go test -json -timeout 60m $(OLDEST) | go run ./hack/testsum

.PHONY: e2e
e2e: ## run requests through a real gateway, real companions and mTLS; needs root on Linux
	go run ./hack/e2e
	go vet -tags e2e ./test/datapath/
	go test -tags e2e -json -count=1 -timeout 45m ./test/datapath/ | go run ./hack/testsum

.PHONY: chart
chart: controlplane ## render, install, upgrade and remove the Helm chart with Helm 3 and 4 (built once, some five minutes)
	go vet -tags helm ./test/operations/
	go test -tags helm -json -count=1 -timeout 30m ./test/operations/ | go run ./hack/testsum

.PHONY: cert-manager
cert-manager: controlplane ## have cert-manager itself make, inject and renew daprise's certificate (built once, some five minutes)
	go vet -tags certmanager,helm ./test/operations/
	go test -tags certmanager,helm -json -count=1 -timeout 30m -run '^TestCertManager$$' ./test/operations/ | go run ./hack/testsum

# Policy sets to compare in each of the oracle's three ways, 20 flows each, and the seed; SEED=0 takes another one at each run.
N ?= 1000
SEED ?= 0

.PHONY: oracle
oracle: ## compare verdicts and exposure with Cilium's own engine: make oracle N=20000 SEED=7
	go -C hack/oracle test -count=1 -v -timeout 0 -run '^TestDifferential' -rapid.nofailfile -rapid.checks=$(N) -rapid.seed=$(SEED) .

.PHONY: browser
browser: ## try the page of daprise graph in headless Chromium; SHOTS=dir keeps screenshots
	go vet -tags browser ./cmd/daprise/
	go test -tags browser -count=1 -v -run '^TestPage$$' ./cmd/daprise/ -args $(if $(SHOTS),-screenshots $(abspath $(SHOTS)))

.PHONY: sarif
sarif: ## hold what daprise analyze -o sarif writes against the schema of SARIF
	go -C hack/sarif test -count=1 ./...

.PHONY: alerts
alerts: ## make every alert fire in Prometheus's own rule engine
	go -C hack/alerts test -count=1 ./...

.PHONY: reproducible
reproducible: ## build the programs from two folders, each from nothing, and compare them bit by bit
	VERSION=$(VERSION) bash hack/reproducible.sh

SBOM := .cache/tools/cyclonedx-gomod

.PHONY: sbom
sbom: $(SBOM) ## write what the programs are made of to bin/*.cdx.json (CycloneDX)
	mkdir -p bin
	for program in daprise-webhook daprise; do \
		$(SBOM) app -json -licenses -main cmd/$$program -output bin/$$program.cdx.json .; \
	done

$(SBOM): hack/sbom/go.mod hack/sbom/go.sum
	go -C hack/sbom build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

# Versions of Cilium whose engines are compared beside the newest.
OLDER ?= 1.19,1.18,1.17,1.16

.PHONY: oracle-older
oracle-older: ## the same with the engines of older versions, each of which is built first: make oracle-older OLDER=1.19 N=20000
	go -C hack/oracle test -count=1 -v -timeout 0 -run '^TestDifferentialOlder' -rapid.nofailfile -rapid.checks=$(N) -rapid.seed=$(SEED) -older=$(OLDER) .

.PHONY: bench-datapath
bench-datapath: ## measure what companions, and sidecars, add to a request; needs root on Linux
	go test -tags e2e,bench -v -count=1 -timeout 45m -run '^TestBench$$' ./test/datapath/

# What starts goroutines (test/imports holds the list), and what is called from several at once. The pure packages are run below these.
RACE ?= ./cmd/daprise-webhook/... ./cmd/daprise/internal/document/... ./controller/... ./webhook/... ./examples/... ./hack/up/...

.PHONY: race
race: ## run the tests of what is concurrent under the race detector; needs a C compiler
	@command -v "$$(go env CC)" >/dev/null || { echo "make race: the race detector needs a C compiler, and $$(go env CC) is not installed. On Debian: apt-get install gcc libc6-dev" >&2; exit 1; }
	CGO_ENABLED=1 go test -race -vet=off -json -timeout 20m $(RACE) | go run ./hack/testsum

.PHONY: bench
bench: ## measure admission: served, through kube-apiserver, against webhooks that do nothing and Dapr's injector, and as the cluster grows (some 30 minutes)
	go run ./hack/bench served
	go -C hack/injector test -run '^$$' -bench 'AgainstInjector|Decision' -benchtime 5s .
	go run ./hack/bench cluster
	go run ./hack/bench growth

# How many Services to enrol, and how many running companions to roll.
SERVICES ?= 1000
ROLLED ?= 200

.PHONY: bench-companions
bench-companions: controlplane ## measure the controllers: many companions against a bare client, idling, rolls
	go test ./test/controller -v -run '^$$' -bench 'Companions|Roll' -benchtime 1x -timeout 60m -services $(SERVICES) -rolled $(ROLLED)

.PHONY: verify
verify: verify-format verify-vet verify-tidy verify-generated verify-lint ## check format, vet, tidy modules, generated files, lint

.PHONY: verify-format
verify-format:
	@unformatted="$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)"; \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed on:" >&2; echo "$$unformatted" >&2; exit 1; fi

.PHONY: verify-vet
verify-vet:
	go vet -tags bench,browser,certmanager,e2e,helm ./...

.PHONY: verify-tidy
verify-tidy:
	@failed=0; for dir in $(MODULES); do \
		echo "go -C $$dir mod tidy -diff"; go -C $$dir mod tidy -diff || failed=1; \
	done; exit $$failed

# Compares the tree before and after, so that it also works on uncommitted work.
.PHONY: verify-generated
verify-generated:
	@state() { git diff HEAD; git ls-files -o --exclude-standard -z | xargs -0r sha256sum; }; \
	before="$$(state)"; $(MAKE) --no-print-directory generate; after="$$(state)"; \
	if [ "$$before" != "$$after" ]; then \
		echo "make generate changes files: run it and commit the result" >&2; \
		diff <(echo "$$before") <(echo "$$after") >&2 || true; exit 1; \
	fi

.PHONY: verify-lint
verify-lint: $(LINT)
	$(LINT) run ./...

$(LINT): hack/tools/go.mod hack/tools/go.sum
	@echo "building golangci-lint: some four minutes, once"
	cd hack/tools && go build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: generate
generate: ## write the generated files
	if [ -d hack/gen ]; then go run ./hack/gen; fi

.PHONY: controlplane
controlplane: ## build the programs of the control plane (about ten minutes, once)
	go run ./hack/up -build-only

.PHONY: controlplane-oldest
controlplane-oldest: ## the same for the oldest Kubernetes that is supported
	CONTROLPLANE=oldest go run ./hack/up -build-only

.PHONY: up
up: ## start the control plane alone, until Ctrl-C
	go run ./hack/up

.PHONY: clean
clean: ## remove what was built, the control plane too
	if [ -e .cache/controlplane/up/pids ]; then go run ./hack/up -down; fi
	if [ -e .cache/controlplane/demo/pids ]; then go run ./hack/up -down -dir .cache/controlplane/demo; fi
	rm -rf bin .cache
