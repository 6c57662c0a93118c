namespace Hearth.Cli.Tests;

sealed class ScratchFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("hearth-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
