using System.Diagnostics;
using System.IO.Pipes;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Embedded;
using Xunit;

namespace Hearth.Actors.Tests.Storage;

public sealed class CrashTests : IDisposable
{
    const string Directory = "HEARTH_TEST_CRASH_DIRECTORY";
    const string Pipe = "HEARTH_TEST_CRASH_PIPE";
    static readonly GrainId Grain = new("tenant", "conversation");

    readonly TemporaryDirectory _directory = new();

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Theory, InlineData(1), InlineData(20)]
    public async Task NoCommitThatWasAnsweredIsLostWhenTheProcessIsKilled(int commits)
    {
        await using var answers = new AnonymousPipeServerStream(PipeDirection.In, HandleInheritability.Inheritable);
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { typeof(CrashTests).Assembly.Location, "-method", $"*.{nameof(WriterThatIsKilled)}" },
            RedirectStandardOutput = true,
            Environment = { [Directory] = _directory.Path, [Pipe] = answers.GetClientHandleAsString() },
        };
        using var writer = Process.Start(start)!;
        answers.DisposeLocalCopyOfClientHandle();
        await answers.ReadExactlyAsync(new byte[commits], Stop);
        writer.Kill();
        await writer.WaitForExitAsync(Stop);
        // Answers that were under way when it was killed count as well. A process that another test started meanwhile may have
        // got the pipe's other end too: the end of the answers is then not the end of the pipe.
        var answered = commits;
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        silence.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            for (int more; (more = await answers.ReadAsync(new byte[1024], silence.Token)) > 0;)
                answered += more;
        }
        catch (OperationCanceledException) when (!Stop.IsCancellationRequested)
        {
            // Nothing more comes from a process that has ended.
        }

        using var store = EmbeddedStore.Open(_directory.Path, 1 << 20, TimeProvider.System);
        var read = await store.Grains.ReadAsync(Grain, Stop);
        Assert.InRange(read!.Log.Count, answered, answered + 1);
        Assert.Equal(Enumerable.Range(0, read.Log.Count), read.Log.Select(e => BitConverter.ToInt32(e)));
        Assert.Equal(AcquireOutcome.Acquired, (await store.Grains.AcquireAsync(Grain, "s2", "b", "a", Stop)).Outcome);
    }

    /// <summary>Runs in the process that the test above kills.</summary>
    [Fact]
    public async Task WriterThatIsKilled()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(Pipe) is null, "runs as another test's child only");
        await using var answers = new AnonymousPipeClientStream(PipeDirection.Out, Environment.GetEnvironmentVariable(Pipe)!);
        using var store = EmbeddedStore.Open(Environment.GetEnvironmentVariable(Directory)!, 1 << 20, TimeProvider.System);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        for (var i = 0; i < 10_000; i++)
        {
            var commit = new GrainCommit
            {
                ExpectedLength = i,
                Keep = i,
                Append = [BitConverter.GetBytes(i)],
                JournalKeep = 0,
                State = default,
            };
            Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, new Fence(1, "a"), commit, Stop)).Outcome);
            answers.WriteByte(1);
        }
    }
}
