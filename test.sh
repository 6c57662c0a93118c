#!/usr/bin/env bash
# Builds everything without a warning and runs every test. Needs the .NET 10 SDK; the last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

if ! command -v dotnet >/dev/null; then
  echo "The .NET 10 SDK is missing: see https://dotnet.microsoft.com/download/dotnet/10.0" >&2
  exit 1
fi

# The tests with real processes and faults, and those of the CUDA kernels, use these; without them they skip themselves, and say so.
missing=""
for need in redis-server:redis-server nft:nftables ip:iproute2 faketime:faketime node:nodejs npm:npm prometheus:prometheus clang++-19:clang-19; do
  command -v "${need%%:*}" >/dev/null || [ -x "/usr/sbin/${need%%:*}" ] || missing+=" ${need##*:}"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    # RUNLEVEL=1 keeps the package from starting a server of its own.
    (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing) \
      >/dev/null 2>&1 || echo "Could not install$missing: tests that need them are skipped." >&2
  else
    echo "Missing$missing: tests that need them are skipped." >&2
  fi
fi

# NuGet packages come from the lock files.
dotnet restore Cluster.sln --locked-mode
dotnet build Cluster.sln --no-restore -c Release --nologo -v quiet -clp:Summary

passed=0 failed=0 skipped=0
for project in tests/*/*.Tests.csproj; do
  name=$(basename "$project" .csproj)
  results=artifacts/test-results/$name.xml
  mkdir -p artifacts/test-results && rm -f "$results"
  echo "== $name"
  # A test that hangs is named after a minute, and is a failure after fifteen.
  timeout -k 10 900 dotnet "artifacts/bin/$name/release/Hearth.$name.dll" -noLogo -noColor -longRunning 60 -xml "$results" | grep --line-buffered -vE '^ *(Discovering|Discovered|Starting|Finished):' || true
  # A test process that died leaves no result file: that is a failure, never silence.
  if [ -s "$results" ] && counts=$(grep -oE '<assembly [^>]*>' "$results" | head -n 1) && [ -n "$counts" ]; then
    count() { sed -E "s/.* $1=\"([0-9]+)\".*/\1/" <<<"$counts"; }
    passed=$((passed + $(count passed))) skipped=$((skipped + $(count skipped)))
    failed=$((failed + $(count failed) + $(count errors)))
  else
    echo "$name ended without a result" >&2
    failed=$((failed + 1))
  fi
done

[ "$skipped" -eq 0 ] || echo "skipped: $skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
