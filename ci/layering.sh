#!/usr/bin/env bash
# Who may depend on whom: data flows isa -> {assembler, iss, compiler} -> host-driver -> testbench, and siblings do not
# know each other. Tests may look sideways, so development dependencies do not count.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A allowed=(
  [fenn-isa]=""
  [fenn-assembler]="fenn-isa"
  [fenn-iss]="fenn-isa"
  [fenn-compiler]="fenn-isa"
  [fenn-host]="fenn-isa fenn-iss"
  [fenn-yin-yang]="fenn-isa fenn-compiler"
  [fenn-verilated]="fenn-isa fenn-assembler fenn-iss fenn-host"
  [fenn-card]="fenn-isa fenn-assembler fenn-iss fenn-host fenn-verilated"
  [fenn-guest-test]="fenn-isa fenn-assembler fenn-iss fenn-host"
  [fenn-bench]="fenn-isa fenn-assembler fenn-iss fenn-compiler fenn-host fenn-yin-yang fenn-testbench"
  [fenn-testbench]="fenn-isa fenn-assembler fenn-iss fenn-compiler fenn-host fenn-yin-yang"
)

wrong=0
members=$(cargo metadata --no-deps --format-version 1 | grep -o '"name":"fenn-[a-z-]*","version"' | cut -d'"' -f4 | sort -u)
for crate in $members; do
  if [ -z "${allowed[$crate]+known}" ]; then
    echo "layering: $crate is not in ci/layering.sh: say there what it may depend on" >&2
    wrong=1
    continue
  fi
  tree=$(cargo tree -p "$crate" --edges normal,build --all-features --prefix none --format '{p}')
  for dependency in $(grep -o '^fenn-[a-z-]*' <<<"$tree" | sort -u); do
    [ "$dependency" = "$crate" ] && continue
    case " ${allowed[$crate]} " in
      *" $dependency "*) ;;
      *) echo "layering: $crate must not depend on $dependency (see ARCHITECTURE in README.md)" >&2; wrong=1 ;;
    esac
  done
done
exit $wrong
