using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>A span as it came.</summary>
public sealed record OtlpSpan(string Service, string TraceId, string SpanId, string Parent, string Name, string Text, int Events);

/// <summary>A collector that takes OTLP over HTTP in Protobuf, and reads of it what the tests ask for.</summary>
public sealed class OtlpReceiver : IAsyncDisposable
{
    readonly WebApplication _app;

    OtlpReceiver(WebApplication app) => _app = app;

    public ConcurrentQueue<OtlpSpan> Spans { get; } = new();

    /// <summary>The service and the metric's name.</summary>
    public ConcurrentDictionary<(string Service, string Metric), bool> Metrics { get; } = new();

    public string Url => _app.Urls.First();

    public static async Task<OtlpReceiver> StartAsync(CancellationToken cancellationToken)
    {
        var app = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        Microsoft.AspNetCore.Hosting.WebHostBuilderKestrelExtensions.UseKestrel(app.WebHost);
        var built = app.Build();
        built.Urls.Add("http://127.0.0.1:0");
        var receiver = new OtlpReceiver(built);
        built.Run(receiver.TakeAsync);
        await built.StartAsync(cancellationToken);
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    async Task TakeAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        foreach (var resource in Fields(body.ToArray()).Where(f => f.Number == 1))
        {
            var parts = Fields(resource.Bytes);
            var service = Encoding.UTF8.GetString(parts.First(p => p.Number == 1).Bytes.Span);
            service = service.Contains("hearth-gateway", StringComparison.Ordinal) ? "gateway" : "silo";
            foreach (var item in parts.Where(p => p.Number == 2).SelectMany(scope => Fields(scope.Bytes)).Where(f => f.Number == 2))
            {
                var fields = Fields(item.Bytes);
                if (http.Request.Path == "/v1/metrics")
                    Metrics[(service, Text(fields, 1))] = true;
                else
                    Spans.Enqueue(SpanOf(service, fields, Encoding.UTF8.GetString(item.Bytes.Span)));
            }
        }
        http.Response.ContentType = "application/x-protobuf";
    }

    static OtlpSpan SpanOf(string service, List<Field> fields, string text) => new(
        service, Hex(fields, 1), Hex(fields, 2), Hex(fields, 4), Text(fields, 5), text, fields.Count(f => f.Number == 11));

    static string Hex(List<Field> fields, int number) =>
        Convert.ToHexStringLower(fields.FirstOrDefault(f => f.Number == number).Bytes.Span);

    static string Text(List<Field> fields, int number) =>
        Encoding.UTF8.GetString(fields.FirstOrDefault(f => f.Number == number).Bytes.Span);

    readonly record struct Field(int Number, ReadOnlyMemory<byte> Bytes);

    /// <summary>The fields of a Protobuf message; the bytes of those that have a length.</summary>
    static List<Field> Fields(ReadOnlyMemory<byte> message)
    {
        var fields = new List<Field>();
        for (var at = 0; at < message.Length;)
        {
            var tag = Number(message.Span, ref at);
            var length = (tag & 7) switch
            {
                0 => 0,
                1 => 8,
                5 => 4,
                _ => (int)Number(message.Span, ref at),
            };
            if ((tag & 7) == 0)
                Number(message.Span, ref at);
            fields.Add(new Field((int)(tag >> 3), message.Slice(at, length)));
            at += length;
        }
        return fields;
    }

    static ulong Number(ReadOnlySpan<byte> bytes, ref int at)
    {
        var number = 0ul;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            number |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return number;
        }
    }
}
