# The commands of the project; `make help` lists them. Everything they need, scripts/setup installs.
BUILD  ?= build
JOBS   ?= $(shell nproc)
MODEL  ?= models/tern-demo-q8_0.gguf
VENV   := .venv
# Where scripts/setup puts a Node when the machine's own is too old.
export PATH := $(CURDIR)/.deps/node/node_modules/node-linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)/bin:$(PATH)

.PHONY: help setup demo build test test-all bench bench-peers bench-gpu fuzz fmt lint wasm web clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup:  ## install all that tests need: clang, wasm, node packages, Python oracles (idempotent)
	@scripts/setup all

demo:  ## install what is missing, build, and chat with the model in models/
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	@scripts/demo $(BUILD)/tern $(MODEL)

build: $(BUILD)/build.ninja  ## build/tern, optimised
	@cmake --build $(BUILD) -j $(JOBS) --target tern

$(BUILD)/build.ninja: CMakePresets.json
	@cmake --preset release -B $(BUILD) >$(BUILD).log 2>&1 || (cat $(BUILD).log; exit 1)
	@rm -f $(BUILD).log

test: setup  ## every test: native, sanitizers, fuzzing 20 s each, wasm under Node, peers, lint
	@scripts/test

test-all: test  ## also what takes long: golden models on every kind of WebGPU device, single kernels, every shader, 3 GB in a tab
	@TERN_TEST_ALL=1 node --test web/dist/test/webgpu.test.js web/dist/test/shaders.test.js
	@VK_DRIVER_FILES=$${VK_DRIVER_FILES:-$(CURDIR)/.deps/lavapipe/lvp_icd.json} TERN_TEST_ALL=1 \
	  $(BUILD)/tests/test_engine --gtest_filter='EveryShader.*:GpuTuning.*:*GpuModels*'
	@TERN_TEST_ALL=1 node --test tests/web/big.test.mjs
	@VK_DRIVER_FILES=$${VK_DRIVER_FILES:-$(CURDIR)/.deps/lavapipe/lvp_icd.json} node tests/webgpu/kernels.mjs

bench: build  ## matrix products by format and step size: GB/s and GOPS (bench/)
	@cmake --build $(BUILD) -j $(JOBS) --target bench_kernels
	@$(BUILD)/bench/bench_kernels

bench-peers: build  ## rates beside llama.cpp and PEER=path/to/llama-bench; tables and plots (docs/benchmarks.md)
	@PEER='$(PEER)' scripts/bench_peers

bench-gpu: build wasm  ## rates on the GPU, natively and through Dawn for Node (docs/benchmarks.md)
	@scripts/build_web
	@scripts/bench_gpu

fuzz: setup  ## every fuzz target for FUZZ_SECONDS (default 600)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} scripts/fuzz

fmt:  ## format C++ and CMake-generated lists in place
	@git ls-files '*.cc' '*.h' '*.inl' | xargs clang-format-22 -i

lint:  ## layers, formatting, file sizes, house rules
	@scripts/lint

wasm: setup  ## build-wasm/*.wasm: everything below apps/ plus the cpu backend with SIMD, four modules
	@scripts/build_wasm

web:  ## build the chat page and serve it at http://127.0.0.1:8080/ (PORT=N: there)
	@scripts/setup web
	@scripts/build_wasm
	@scripts/build_web
	@scripts/build_page
	@node web/page/serve.mjs $(if $(PORT),--port $(PORT))

clean:  ## remove build folders
	@rm -rf build build-* web/dist web/page/dist
