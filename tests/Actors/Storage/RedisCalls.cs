using System.Diagnostics;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Actors.Tests.Storage;

/// <summary>What tests with a Redis that fails have in common.</summary>
static class RedisCalls
{
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<RedisStore> ConnectAsync(string address) => await RedisStore.ConnectAsync(
        new RedisOptions { Control = address, Timeout = Patience }, TimeProvider.System, NullLogger.Instance, Stop);

    /// <summary>Asks until it is answered: what a caller does whose Redis went away.</summary>
    public static async Task<T> EventuallyAsync<T>(Func<Task<T>> call)
    {
        for (var waited = Stopwatch.StartNew(); ;)
        {
            try
            {
                return await call();
            }
            catch (StoreException) when (waited.Elapsed < TimeSpan.FromSeconds(15))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Stop);
            }
        }
    }

    public static GrainCommit Step(int length, params string[] entries) => new()
    {
        ExpectedLength = length,
        Keep = length,
        Append = entries.Select(e => (ReadOnlyMemory<byte>)System.Text.Encoding.UTF8.GetBytes(e)).ToList(),
        JournalKeep = 0,
        JournalAppend = "journal"u8.ToArray(),
        State = "state"u8.ToArray(),
    };
}
