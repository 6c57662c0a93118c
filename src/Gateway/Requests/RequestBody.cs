using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>A request's body as a JSON object, with its hash. Duplicate names, bad UTF-8 and deep nesting
/// are refused here.</summary>
sealed class RequestBody : IDisposable
{
    static readonly JsonDocumentOptions s_json =
        new() { MaxDepth = Limits.JsonDepthMax, AllowDuplicateProperties = false };

    readonly JsonDocument _document;

    RequestBody(JsonDocument document, string hash) => (_document, Hash) = (document, hash);

    public JsonElement Root => _document.RootElement;

    /// <summary>SHA-256 of the bytes, in hex.</summary>
    public string Hash { get; }

    /// <exception cref="BadHttpRequestException">The body came too slowly, or broke off.</exception>
    public static async Task<(RequestBody? Body, ApiError? Error)> ReadAsync(HttpContext http)
    {
        var coded = http.Request.Headers.ContentEncoding is { Count: > 0 } coding && coding != "identity";
        if (coded || !http.Request.HasJsonContentType())
        {
            return (null, ApiError.OfStatus(415, ""));
        }
        try
        {
            return await ReadBytesAsync(http) is { } bytes ? Parse(bytes) : (null, ApiError.OfStatus(413, ""));
        }
        catch (IOException e) when (e is not BadHttpRequestException)
        {
            // Kestrel's word for chunks whose size is none, and for a connection that is gone.
            return (null, ApiError.OfStatus(400, ""));
        }
    }

    /// <returns>Null if there are more than <see cref="Limits.BodyBytesMax"/>.</returns>
    static async Task<byte[]?> ReadBytesAsync(HttpContext http)
    {
        if (http.Request.ContentLength > Limits.BodyBytesMax)
        {
            return null;
        }
        using var bytes = new MemoryStream((int)(http.Request.ContentLength ?? 4096));
        while (true)
        {
            var read = await http.Request.BodyReader.ReadAsync(http.RequestAborted);
            foreach (var segment in read.Buffer)
            {
                bytes.Write(segment.Span);
            }
            http.Request.BodyReader.AdvanceTo(read.Buffer.End);
            if (bytes.Length > Limits.BodyBytesMax)
            {
                return null;
            }
            if (read.IsCompleted)
            {
                return bytes.ToArray();
            }
        }
    }

    internal static (RequestBody? Body, ApiError? Error) Parse(byte[] bytes)
    {
        if (!Utf8.IsValid(bytes))
        {
            return (null, ApiError.Field(null, "The body is not valid UTF-8."));
        }
        try
        {
            var document = JsonDocument.Parse(bytes, s_json);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return (new RequestBody(document, Convert.ToHexStringLower(SHA256.HashData(bytes))), null);
            }
            document.Dispose();
            return (null, ApiError.Field(null, "The body is not a JSON object."));
        }
        catch (JsonException e)
        {
            return (null, ApiError.Field(null, "The body is not JSON that can be used: " + FieldPath.Shorten(e.Message)));
        }
        catch (InvalidOperationException)
        {
            return (null, ApiError.Field(null, "The body has a name with half a surrogate pair."));
        }
    }

    public void Dispose() => _document.Dispose();
}

/// <summary>Paths such as <c>messages[3].content[0].type</c>, never longer than an error should be.</summary>
static class FieldPath
{
    public static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "…";

    public static string Join(string path, string name) => path.Length == 0 ? Shorten(name) : $"{path}.{Shorten(name)}";
}
