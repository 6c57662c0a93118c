#!/usr/bin/env bash
# The long run: 3 to 6 silos, 200 conversations, a kill, pause, stop or add every 5 s for 5 minutes, then the checker's verdict and
# one more turn of every conversation. Ends with 0 if nothing was violated. Options: --seed N --seconds N --every N --conversations N.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
command -v redis-server >/dev/null || { echo "redis-server is missing: apt-get install redis-server" >&2; exit 1; }
dotnet build tests/Cluster/Cluster.Tests.csproj -c Release --nologo -v quiet
exec dotnet artifacts/bin/Cluster.Tests/release/Hearth.Cluster.Tests.dll chaos "$@"
