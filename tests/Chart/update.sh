#!/usr/bin/env bash
# Writes anew what is made from the chart: the golden renders, k8s/base and the values in the chart's README. Look at `git diff` then.
set -euo pipefail
cd "$(dirname "$0")/../.."
dotnet build tests/Chart/Chart.Tests.csproj -c Release --nologo -v quiet
HEARTH_UPDATE_GOLDEN=1 dotnet artifacts/bin/Chart.Tests/release/Hearth.Chart.Tests.dll -noLogo \
  -class '*GoldenTests' -class '*KustomizeTests' -class '*ValuesTests'
git diff --stat -- tests/Chart/golden k8s helm/hearth/README.md
