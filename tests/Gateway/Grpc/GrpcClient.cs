using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using Google.Protobuf;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>A gRPC client on a plain HTTP/2 client, which shows everything that goes over the wire.</summary>
sealed class GrpcClient(string url) : IDisposable
{
    readonly HttpClient _http = new(new SocketsHttpHandler()) { BaseAddress = new Uri(url) };

    /// <summary>Sends one message and returns once the headers are there.</summary>
    public async Task<GrpcAnswer> CallAsync(string method, IMessage request, params (string Name, string Value)[] headers) =>
        await SendAsync(method, Framed(request.ToByteArray()), headers);

    public async Task<GrpcAnswer> SendAsync(string method, byte[] body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, method.Contains('/') ? method : "/hearth.v1.Chat/" + method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { { "Content-Type", "application/grpc" } } },
        };
        request.Headers.Add("te", "trailers");
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return new GrpcAnswer(
            await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken));
    }

    public static byte[] Framed(byte[] message)
    {
        var framed = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), message.Length);
        message.CopyTo(framed, 5);
        return framed;
    }

    public void Dispose() => _http.Dispose();
}

sealed class GrpcAnswer(HttpResponseMessage reply) : IDisposable
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>The next message; null at the end.</summary>
    public async Task<T?> NextAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        var body = await reply.Content.ReadAsStreamAsync(Stop);
        var prefix = new byte[5];
        if (await body.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, Stop) < 5)
        {
            return null;
        }
        Assert.Equal(0, prefix[0]);
        var message = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1))];
        await body.ReadExactlyAsync(message, Stop);
        return parser.ParseFrom(message);
    }

    public async Task<List<T>> AllAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        var all = new List<T>();
        while (await NextAsync(parser) is { } message)
        {
            all.Add(message);
        }
        return all;
    }

    /// <summary>The call's status: from the trailers, or from the headers of an answer without messages.</summary>
    public async Task<(int Code, string Message)> StatusAsync()
    {
        Assert.Equal(HttpStatusCode.OK, reply.StatusCode);
        Assert.Equal("application/grpc", reply.Content.Headers.ContentType?.MediaType);
        await (await reply.Content.ReadAsStreamAsync(Stop)).CopyToAsync(Stream.Null, Stop);
        return (int.Parse(Meta("grpc-status") ?? "-1", CultureInfo.InvariantCulture), Uri.UnescapeDataString(Meta("grpc-message") ?? ""));
    }

    public string? Meta(string name) =>
        reply.TrailingHeaders.TryGetValues(name, out var trailer) ? Assert.Single(trailer)
        : reply.Headers.TryGetValues(name, out var header) ? Assert.Single(header) : null;

    public void Dispose() => reply.Dispose();
}
