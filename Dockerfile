# syntax=docker/dockerfile:1
# One image for all verbs: `hearth silo`, `hearth gateway`, `hearth serve`, ... No shell, no package manager, no root.
#
#   docker build -t hearth:0.1.0 .                                          # processors only
#   docker build -t hearth:0.1.0-cuda --build-arg VARIANT=cuda .            # with the libraries that graphics cards need
#
# tools/pin-images.sh writes the digests of the images below, here and into the chart, so that a build is the same tomorrow.
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0-noble
ARG RUNTIME=mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled
ARG CUDA=docker.io/nvidia/cuda:12.8.1-runtime-ubuntu24.04
ARG VARIANT=cpu

FROM ${SDK} AS build
WORKDIR /source
# What restore reads changes seldom: its layer is kept while only code changes.
COPY global.json Directory.Build.props Directory.Build.targets Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY src/Actors/*.csproj src/Actors/packages.lock.json src/Actors/
COPY src/Cli/*.csproj src/Cli/packages.lock.json src/Cli/
COPY src/Contracts/*.csproj src/Contracts/packages.lock.json src/Contracts/
COPY src/Cuda/*.csproj src/Cuda/packages.lock.json src/Cuda/
COPY src/Engine/*.csproj src/Engine/packages.lock.json src/Engine/
COPY src/Gateway/*.csproj src/Gateway/packages.lock.json src/Gateway/
COPY src/Grains/*.csproj src/Grains/packages.lock.json src/Grains/
COPY src/Kernels/*.csproj src/Kernels/packages.lock.json src/Kernels/
COPY src/Silo/*.csproj src/Silo/packages.lock.json src/Silo/
COPY src/Text/*.csproj src/Text/packages.lock.json src/Text/
RUN dotnet restore src/Cli/Cli.csproj --locked-mode
COPY src src
COPY models/demo models/demo
RUN CI=true dotnet publish src/Cli/Cli.csproj -c Release --no-restore -o /app

FROM ${CUDA} AS cuda-libraries
# What the CUDA backend opens by name, besides the driver, which the node's runtime brings along.
RUN mkdir -p /cuda && cp -a /usr/local/cuda/lib64/libnvrtc.so.* /usr/local/cuda/lib64/libnvrtc-builtins.so.* \
    /usr/local/cuda/lib64/libcublas.so.* /usr/local/cuda/lib64/libcublasLt.so.* /cuda/

FROM ${RUNTIME} AS final-cpu

FROM ${RUNTIME} AS final-cuda
COPY --from=cuda-libraries /cuda /usr/local/cuda/lib64
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM final-${VARIANT} AS final
COPY --from=build --link /app /app
WORKDIR /app
# The user that .NET's images have for this; the root file system may be read-only: only /tmp is written, and what --data names.
USER 1654:1654
ENV DOTNET_EnableDiagnostics=0 HOME=/tmp
EXPOSE 7070 8080 8081 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --start-period=5m CMD ["/app/hearth", "health"]
ENTRYPOINT ["/app/hearth"]
CMD ["serve", "--urls", "http://*:8080", "--data", "/tmp/hearth"]
