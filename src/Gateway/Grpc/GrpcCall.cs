using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Google.Protobuf;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>One gRPC call over HTTP/2: a message comes, messages go, each behind five bytes (compressed or not, length), and a
/// status ends it. <see cref="Cancellation"/> fires when the client resets the stream or its deadline passes.</summary>
sealed class GrpcCall : IDisposable
{
    const int PrefixBytes = 5;

    readonly TimeProvider _time;
    readonly TimeSpan _writeTimeout;
    readonly CancellationTokenSource _deadline;
    readonly CancellationTokenSource _stop;

    GrpcCall(HttpContext http, TimeProvider time, TimeSpan writeTimeout)
    {
        (Http, _time, _writeTimeout) = (http, time, writeTimeout);
        _deadline = ReadTimeout(http) is { } timeout ? new CancellationTokenSource(timeout, time) : new CancellationTokenSource();
        _stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _deadline.Token);
    }

    public HttpContext Http { get; }
    public TenantId Tenant => Http.Tenant();
    public CancellationToken Cancellation => _stop.Token;

    /// <summary>SHA-256 (hex) of the request as it came.</summary>
    public string RequestHash { get; private set; } = "";

    bool IsLate => _deadline.IsCancellationRequested && !Http.RequestAborted.IsCancellationRequested;

    /// <summary>A method as an endpoint: reads the request, runs it, and ends the call with its status, whatever
    /// happens.</summary>
    public static RequestDelegate Method<TRequest>(
        MessageParser<TRequest> parser, GatewayOptions options, TimeProvider time, Func<GrpcCall, TRequest, Task> run)
        where TRequest : IMessage<TRequest> => async http =>
    {
        if (!GrpcStatus.IsCall(http) || http.Request.Protocol != HttpProtocol.Http2)
        {
            await ErrorReply.SendAsync(http, ApiError.OfStatus(415, "") with
            {
                Message = "This is a gRPC method: call it over HTTP/2 with Content-Type: application/grpc.",
            });
            return;
        }
        using var call = new GrpcCall(http, time, options.WriteTimeout);
        try
        {
            await run(call, await call.ReadAsync(parser));
            if (http.Outcome() == RequestContext.Good)
            {
                GrpcStatus.Succeed(http);
            }
        }
        catch (GrpcException e)
        {
            await GrpcStatus.RefuseAsync(http, e.Error);
        }
        catch (TurnFailedException e)
        {
            await GrpcStatus.RefuseAsync(http, ApiError.Of(e.Failure));
        }
        catch (OperationCanceledException) when (call.IsLate)
        {
            await GrpcStatus.RefuseAsync(
                http, ApiError.Of(new TurnFailure(TurnError.DeadlineExceeded, "The call's deadline has passed.")));
        }
    };

    /// <summary>Sends a message; a client that takes nothing for the write timeout is dropped.</summary>
    /// <exception cref="TimeoutException">It was.</exception>
    public async Task SendAsync(IMessage message)
    {
        if (!Http.Response.HasStarted)
        {
            Http.Response.ContentType = GrpcStatus.ContentType;
            Http.Response.Headers["grpc-accept-encoding"] = "identity";
        }
        var writer = Http.Response.BodyWriter;
        Write(writer, message);
        var flush = writer.FlushAsync(Cancellation);
        if (!flush.IsCompleted)
        {
            await flush.AsTask().WaitAsync(_writeTimeout, _time);
        }
        else
        {
            await flush;
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        _deadline.Dispose();
    }

    static void Write(PipeWriter to, IMessage message)
    {
        var length = message.CalculateSize();
        var span = to.GetSpan(PrefixBytes + length);
        span[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(span[1..], length);
        message.WriteTo(span.Slice(PrefixBytes, length));
        to.Advance(PrefixBytes + length);
    }

    async Task<TRequest> ReadAsync<TRequest>(MessageParser<TRequest> parser)
        where TRequest : IMessage<TRequest>
    {
        if (Http.Request.Headers["grpc-encoding"] is [{ } encoding] && encoding != "identity")
        {
            throw Compressed();
        }
        var body = Http.Request.BodyReader;
        while (true)
        {
            var read = await body.ReadAsync(Cancellation);
            if (TryRead(read.Buffer, parser, out var request))
            {
                body.AdvanceTo(read.Buffer.End);
                return request;
            }
            if (read.IsCompleted)
            {
                throw Bad("The request ended before its message did.");
            }
            body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    bool TryRead<TRequest>(ReadOnlySequence<byte> buffer, MessageParser<TRequest> parser, out TRequest request)
        where TRequest : IMessage<TRequest>
    {
        request = default!;
        if (buffer.Length < PrefixBytes)
        {
            return false;
        }
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        buffer.Slice(0, PrefixBytes).CopyTo(prefix);
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        if (prefix[0] != 0)
        {
            throw Compressed();
        }
        if (length > Limits.BodyBytesMax)
        {
            throw new GrpcException(ApiError.OfStatus(413, ""));
        }
        if (buffer.Length < PrefixBytes + length)
        {
            return false;
        }
        var message = buffer.Slice(PrefixBytes, length);
        RequestHash = HashOf(message);
        try
        {
            request = parser.ParseFrom(message);
            return true;
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Bad($"The message is malformed: {e.Message}");
        }
    }

    static string HashOf(ReadOnlySequence<byte> message)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in message)
        {
            hash.AppendData(part.Span);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>At most eight digits and a unit, as the protocol has it; a malformed one counts as none.</summary>
    static TimeSpan? ReadTimeout(HttpContext http)
    {
        if (http.Request.Headers["grpc-timeout"] is not [{ Length: > 1 and <= 9 } text]
            || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var amount))
        {
            return null;
        }
        TimeSpan? timeout = text[^1] switch
        {
            'H' => TimeSpan.FromHours(amount),
            'M' => TimeSpan.FromMinutes(amount),
            'S' => TimeSpan.FromSeconds(amount),
            'm' => TimeSpan.FromMilliseconds(amount),
            'u' => TimeSpan.FromMicroseconds(amount),
            'n' => TimeSpan.FromMicroseconds(amount / 1000.0),
            _ => null,
        };
        // What is longer is no deadline, and longer than a timer can be set for.
        return timeout > Limits.GrpcTimeoutMax ? null : timeout;
    }

    static GrpcException Compressed() => new(new ApiError(501, "invalid_request_error", "compression_not_supported",
        "Compressed messages are not supported: send them as they are (identity)."));

    static GrpcException Bad(string message) => new(ApiError.Field(null, message));
}
