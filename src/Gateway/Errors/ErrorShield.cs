using Hearth.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>The outermost step: whatever goes wrong inside leaves as OpenAI's error shape, or as an aborted connection
/// when part of an answer is out already.</summary>
sealed class ErrorShield(RequestDelegate next, ILogger<ErrorShield> logger)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
            if (http.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null })
            {
                await ErrorReply.SendAsync(http, ApiError.OfStatus(http.Response.StatusCode, Where(http)));
            }
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.SetOutcome("cancelled");
        }
        catch (StreamBrokenOffException)
        {
            throw;
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(http, ApiError.OfStatus(e.StatusCode, Where(http)));
        }
        catch (TurnFailedException e)
        {
            await RefuseAsync(http, ApiError.Of(e.Failure));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Log.RequestFailed(logger, e, http.RequestId());
            await RefuseAsync(http, ApiError.Internal);
        }
    }

    static Task RefuseAsync(HttpContext http, ApiError error)
    {
        if (!http.Response.HasStarted)
        {
            return ErrorReply.SendAsync(http, error);
        }
        http.SetOutcome(error.Code);
        throw new StreamBrokenOffException();
    }

    static string Where(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "";
        return http.Request.Method + " " + (path.Length > Limits.HeaderValueMax ? path[..Limits.HeaderValueMax] + "…" : path);
    }
}

/// <summary>Ends a response that has begun without completing it. Kestrel sends what is written and then closes the connection
/// without the last chunk, where <see cref="HttpContext.Abort"/> would throw away what the client has not got yet.</summary>
sealed class StreamBrokenOffException() : Exception("A response was broken off after it had begun.");
