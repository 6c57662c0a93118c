using System.Net;
using Hearth.Contracts;
using Hearth.Gateway.Cluster;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>The gateway as a web application. A request passes: error shield, front door, routing, CORS, authentication,
/// authorization, endpoint.</summary>
public static class GatewayHost
{
    /// <summary>Builds the gateway over a cluster; the caller starts, stops and disposes it.</summary>
    /// <param name="logging">Adds the providers: there are none by default.</param>
    /// <param name="time">The clock of timeouts, heartbeats and dates; the system's if null.</param>
    /// <exception cref="ArgumentException">The options are at fault; the message names every one.</exception>
    /// <exception cref="FormatException">The API key file is malformed; the message names the line.</exception>
    public static WebApplication Build(GatewayOptions options, ICluster cluster, Action<ILoggingBuilder>? logging = null,
        TimeProvider? time = null)
    {
        if (options.Validate() is { Count: > 0 } faults)
        {
            throw new ArgumentException(string.Join(Environment.NewLine, faults), nameof(options));
        }
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = "Hearth.Gateway" });
        // Kestrel logs a stream that was broken off on purpose as an unhandled exception; all others end in the shield's log.
        builder.Logging.ClearProviders().AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Critical);
        logging?.Invoke(builder.Logging);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            Limit(kestrel, options);
            Listen(kestrel, options.Urls, HttpProtocols.Http1);
            // Without TLS a port speaks one of the two: the client has no way to say which it means.
            Listen(kestrel, options.GrpcUrls, HttpProtocols.Http2);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTimeout);
        AddServices(builder.Services, options, cluster, time ?? TimeProvider.System);

        var app = builder.Build();
        // Read the keys now: a bad file is the operator's, not the first client's, to see.
        app.Services.GetRequiredService<ApiKeyRing>();
        app.Services.GetRequiredService<MetricsCollector>();
        app.UseMiddleware<ErrorShield>();
        app.UseMiddleware<FrontDoor>();
        app.UseRouting();
        HttpSpan.Use(app);
        app.UseCors();
        app.UseAuthentication();
        app.UseAuthorization();
        Map(app);
        return app;
    }

    /// <summary>Tells load balancers to go elsewhere, while turns are still taken: to be called some time before the
    /// stop.</summary>
    public static void Leave(WebApplication gateway) => gateway.Services.GetRequiredService<Leaving>().Begin();

    static void AddServices(IServiceCollection services, GatewayOptions options, ICluster cluster, TimeProvider time)
    {
        services.AddSingleton(options).AddSingleton(cluster).Replace(ServiceDescriptor.Singleton(time));
        services.AddSingleton<ApiKeyRing>().AddSingleton<TurnAdmission>().AddSingleton<GatewayMetrics>()
            .AddSingleton(new ProcessRole(cluster is RoutedCluster ? "gateway" : "serve"))
            .AddSingleton<MetricsCollector>().AddSingleton<TurnDoor>().AddSingleton<TurnReply>();
        services.AddSingleton<ChatCompletions>().AddSingleton<Completions>().AddSingleton<Models>().AddSingleton<Tokens>()
            .AddSingleton<Func<ClusterStatus>>(() => cluster.Status)
            .AddSingleton<Leaving>().AddSingleton<Health>().AddSingleton<ConversationTurns>().AddSingleton<Admin>()
            .AddSingleton<MetricsPage>()
            .AddSingleton<GrpcChat>();

        services.AddTransient<ApiKeyHandler>();
        services.AddAuthenticationCore(auth =>
        {
            auth.AddScheme<ApiKeyHandler>(ApiKeyHandler.Scheme, null);
            auth.DefaultScheme = ApiKeyHandler.Scheme;
        });
        // Whatever is mapped without saying anything needs a key that may chat.
        services.AddAuthorizationBuilder()
            .SetFallbackPolicy(Needs(Scopes.Chat))
            .AddPolicy(Scopes.Read, Needs(Scopes.Read, Scopes.Admin))
            .AddPolicy(Scopes.Admin, Needs(Scopes.Admin));
        services.AddCors(cors => cors.AddDefaultPolicy(policy => policy.WithOrigins([.. options.CorsOrigins])
            .AllowAnyHeader().WithMethods("GET", "POST", "DELETE")
            .WithExposedHeaders("x-request-id", "x-hearth-conversation", "x-hearth-cache", "x-hearth-silo", "x-hearth-turn")));

        static AuthorizationPolicy Needs(params string[] scopes) => new AuthorizationPolicyBuilder(ApiKeyHandler.Scheme)
            .RequireAuthenticatedUser().RequireClaim(ApiKeyHandler.ScopeClaim, scopes).Build();
    }

    static void Map(WebApplication app)
    {
        var services = app.Services;
        var chat = services.GetRequiredService<ChatCompletions>();
        var completions = services.GetRequiredService<Completions>();
        var models = services.GetRequiredService<Models>();
        var tokens = services.GetRequiredService<Tokens>();
        var health = services.GetRequiredService<Health>();
        var admin = services.GetRequiredService<Admin>();
        var turns = services.GetRequiredService<ConversationTurns>();

        app.MapPost("/v1/chat/completions", chat.HandleAsync);
        app.MapPost("/v1/completions", completions.HandleAsync);
        app.MapGet("/v1/models", models.ListAsync);
        app.MapGet("/v1/models/{**model}", models.ShowAsync);
        app.Map("/v1/responses/{**rest}", NotYetAsync);
        app.Map("/v1/conversations/{**rest}", NotYetAsync);
        app.MapGet("/v1/conversations/{conversation}/turns/{turn}/events", turns.EventsAsync);
        app.MapPost("/v1/conversations/{conversation}/turns/{turn}/cancel", turns.CancelAsync);
        app.MapPost("/tokenize", tokens.TokenizeAsync);
        app.MapPost("/detokenize", tokens.DetokenizeAsync);

        app.MapGet("/metrics", services.GetRequiredService<MetricsPage>().HandleAsync).RequireAuthorization(Scopes.Read);
        var conversations = app.MapGroup("/admin/conversations").RequireAuthorization(Scopes.Admin);
        conversations.MapGet("/", admin.ListAsync);
        conversations.MapGet("/{id}", admin.ShowAsync);
        conversations.MapPost("/{id}/spill", admin.SpillAsync);
        conversations.MapPost("/{id}/migrate", admin.MigrateAsync);
        conversations.MapDelete("/{id}", admin.DeleteAsync);
        app.MapGet("/admin/cluster", admin.ClusterAsync).RequireAuthorization(Scopes.Admin);
        app.MapPost("/admin/silos/{**rest}", admin.DrainAsync).RequireAuthorization(Scopes.Admin);

        app.MapGet("/health/live", Health.LiveAsync).AllowAnonymous();
        app.MapGet("/health/ready", health.ReadyAsync).AllowAnonymous();
        app.MapGet("/health/startup", health.StartupAsync).AllowAnonymous();
        if (services.GetRequiredService<GatewayOptions>().GrpcUrls.Count > 0)
        {
            services.GetRequiredService<GrpcChat>().Map(app);
        }
        foreach (var path in WebPage.Files.Keys)
        {
            app.MapGet(path, WebPage.HandleAsync).AllowAnonymous();
        }
    }

    static Task NotYetAsync(HttpContext http) => ErrorReply.SendAsync(http, ApiError.OfStatus(404, "") with
    {
        Code = "not_supported",
        Message = "The Responses and Conversations APIs are not supported yet: use /v1/chat/completions, "
            + "with the field 'conversation' to go on with one.",
    });

    static void Listen(KestrelServerOptions kestrel, IReadOnlyList<string> urls, HttpProtocols protocols)
    {
        foreach (var address in urls.Select(BindingAddress.Parse))
        {
            if (address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            {
                kestrel.ListenLocalhost(address.Port, endpoint => endpoint.Protocols = protocols);
            }
            else if (IPAddress.TryParse(address.Host, out var ip))
            {
                kestrel.Listen(ip, address.Port, endpoint => endpoint.Protocols = protocols);
            }
            else
            {
                kestrel.ListenAnyIP(address.Port, endpoint => endpoint.Protocols = protocols);
            }
        }
    }

    static void Limit(KestrelServerOptions kestrel, GatewayOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = Limits.BodyBytesDrainedMax;
        kestrel.Limits.MaxRequestLineSize = Limits.RequestLineBytesMax;
        kestrel.Limits.MaxRequestHeadersTotalSize = 2 * Limits.HeaderBytesMax;
        kestrel.Limits.MaxRequestHeaderCount = 2 * Limits.HeadersMax;
        kestrel.Limits.MaxConcurrentConnections = options.ConnectionsMax;
        kestrel.Limits.MaxConcurrentUpgradedConnections = 0;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(130);
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(240, TimeSpan.FromSeconds(5));
        kestrel.Limits.MinResponseDataRate = new MinDataRate(240, TimeSpan.FromSeconds(5));
        kestrel.Limits.Http2.MaxStreamsPerConnection = options.TurnsMax;
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(20);
        kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
    }
}
