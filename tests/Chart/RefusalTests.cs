using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>Values that cannot work are refused when they are rendered, by name.</summary>
public sealed class RefusalTests
{
    [Theory]
    [InlineData("foo=1", "Additional property foo is not allowed")]
    [InlineData("silo.replica=3", "Additional property replica is not allowed")]
    [InlineData("silo.device=tpu", "silo.device must be one of")]
    [InlineData("gateway.replicas=many", "gateway.replicas: Invalid type")]
    [InlineData("silo.drainSeconds=0", "silo.drainSeconds: Must be greater than or equal to 1")]
    [InlineData("image.tag=latest", "image.tag: Must not validate")]
    [InlineData("image.digest=abc", "image.digest: Does not match pattern")]
    [InlineData("cluster.lease=fast", "cluster.lease: Does not match pattern")]
    [InlineData("redis.enabled=false", "redis.external.addresses: name the servers")]
    [InlineData("redis.enabled=false,redis.external.addresses={redis}", "redis.external.addresses.0: Does not match pattern")]
    [InlineData("secrets.generate=false", "auth.existingSecret: name a Secret")]
    [InlineData("secrets.generate=false,auth.allowAnonymous=true", "peers.existingSecret: name a Secret")]
    [InlineData("model.source=copy", "model.copy.fromClaim: name the claim")]
    [InlineData("model.source=existingClaim", "model.existingClaim: name the claim")]
    [InlineData("model.checksums.a=xyz", "model.checksums.a: Does not match pattern")]
    [InlineData("route.enabled=true", "route.parentRefs: name the Gateway")]
    [InlineData("spillRedis.enabled=true,spillRedis.externalAddresses={a:1}", "set either enabled or externalAddresses")]
    public async Task WhatCannotWorkIsNamed(string values, string message)
    {
        var ended = await ChartCase.HelmAsync("template", "hearth", Tools.Chart, "--kube-version", "1.31.0", "--set", values);
        Assert.NotEqual(0, ended.Code);
        Assert.Contains(message, ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnOldKubernetesIsRefused()
    {
        var ended = await ChartCase.HelmAsync("template", "hearth", Tools.Chart, "--kube-version", "1.26.0");
        Assert.Contains("incompatible with Kubernetes v1.26.0", ended.Error, StringComparison.Ordinal);
    }
}
