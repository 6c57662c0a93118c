using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>Admission as the endpoints use it: a refusal is counted, logged and sent.</summary>
sealed class TurnDoor(TurnAdmission admission, GatewayMetrics metrics, ILogger<TurnDoor> logger)
{
    /// <returns>True when the turn was refused and the answer is sent.</returns>
    public ValueTask<bool> RefusesAsync(HttpContext http, out TurnAdmission.Lease lease)
    {
        if (admission.TryEnter(http.Tenant(), out lease) is not { } refusal)
        {
            return ValueTask.FromResult(false);
        }
        metrics.Refused(refusal.Code);
        Log.Refused(logger, http.RequestId(), refusal.Code);
        return SendAsync();

        async ValueTask<bool> SendAsync()
        {
            await ErrorReply.SendAsync(http, refusal);
            return true;
        }
    }
}
