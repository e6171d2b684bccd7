#!/usr/bin/env bash
# fuzz/run.sh TARGET [SECONDS]: builds a target with coverage counters, on the stable toolchain, and fuzzes it; with 0
# seconds it only builds.
set -euo pipefail
cd "$(dirname "$0")"
target=$1
seconds=${2:-60}
# What cargo-fuzz passes, without a sanitizer: those need a nightly compiler, and this crate has no unsafe code to check.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Clink-dead-code"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
cargo build --release --target "$(rustc -vV | sed -n 's/^host: //p')" --bin "$target"
[ "$seconds" != 0 ] || exit 0
mkdir -p "$CARGO_TARGET_DIR/found/$target"
exec "$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release/$target" \
  -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -dict=policy.dict \
  -artifact_prefix="$CARGO_TARGET_DIR/found/$target/crash-" "$CARGO_TARGET_DIR/found/$target" "corpus/$target"
