using Hearth.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>Probes and metrics of a process that serves no API, for anyone who reaches its address.</summary>
public static class ProbeHost
{
    /// <param name="status">What the probes tell.</param>
    /// <exception cref="ArgumentException">An address is none.</exception>
    public static WebApplication Build(IReadOnlyList<string> urls, Func<ClusterStatus> status, Action<ILoggingBuilder> logging)
    {
        if (new GatewayOptions { Urls = urls, AllowAnonymous = true }.Validate() is { Count: > 0 } faults)
        {
            throw new ArgumentException(string.Join(Environment.NewLine, faults), nameof(urls));
        }
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = "Hearth.Probes" });
        logging(builder.Logging.ClearProviders());
        builder.WebHost.UseUrls([.. urls]).ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Services.AddSingleton(status).AddSingleton<Leaving>().AddSingleton<Health>()
           .AddSingleton(new ProcessRole("silo")).AddSingleton<MetricsCollector>().AddSingleton<MetricsPage>();
        var app = builder.Build();
        // It counts from now on, not from the first look.
        app.Services.GetRequiredService<MetricsCollector>();
        var health = app.Services.GetRequiredService<Health>();
        HttpSpan.Use(app);
        app.MapGet("/health/live", Health.LiveAsync);
        app.MapGet("/health/ready", health.ReadyAsync);
        app.MapGet("/health/startup", health.StartupAsync);
        app.MapGet("/metrics", app.Services.GetRequiredService<MetricsPage>().HandleAsync);
        return app;
    }
}
