using System.CommandLine;
using System.Net;

namespace Hearth.Cli;

/// <summary><c>hearth health</c>: asks the probes of a process, for those who have no curl: images, schedulers, tests.</summary>
static class HealthCommand
{
    static readonly string[] Probes = ["live", "startup", "ready"];
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    static readonly Option<string?> _url = Flag.Text("--url", "A gateway or a silo's probes", "http://127.0.0.1:8080");

    public static Command Create()
    {
        var command = new Command("health",
            "Ask whether a gateway or silo lives, has started and takes turns.\n\n" +
            "Example: hearth health --url http://127.0.0.1:8080")
        {
            _url,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var url = arguments.GetValue(_url)!;
            if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var address))
            {
                throw new CliException(
                    $"--url: '{url}' is not an address; write for example http://127.0.0.1:8080.", ExitCodes.Usage);
            }
            using var client = new HttpClient { BaseAddress = address, Timeout = Patience };
            var good = true;
            foreach (var probe in Probes)
                good &= await AskAsync(client, probe, cancellationToken);
            return good ? ExitCodes.Success : ExitCodes.Failure;
        });
        return command;
    }

    static async Task<bool> AskAsync(HttpClient client, string probe, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await client.GetAsync($"health/{probe}", cancellationToken);
            Console.WriteLine($"{probe}: {await response.Content.ReadAsStringAsync(cancellationToken)}");
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            throw new CliException($"Nothing answers at {client.BaseAddress} ({error.Message}): see --url.", ExitCodes.Temporary);
        }
    }
}
