using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Hearth.Cli.Client;

namespace Hearth.Cli;

/// <summary><c>hearth chat</c>: a conversation in the terminal; the server keeps its history and its cache.</summary>
static class ChatCommand
{
    const string Help = "/new starts another conversation, /id shows this one's name, /quit ends.";

    public static Command Create()
    {
        var url = Flag.Text("--url", "The server", "http://127.0.0.1:8080");
        var apiKey = Flag.Text("--api-key", "The key, if the server wants one");
        var conversation = Flag.Text("--conversation", "Go on with this conversation");
        var temperature = Flag.Text("--temperature", "0 always takes the likeliest token", "0.7");
        var maxTokens = Flag.Number("--max-tokens", "Most tokens of a reply", 512);
        var text = new Argument<string?>("TEXT")
        {
            Description = "Say this, print the reply and end, with 0 if there was one",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new Command("chat",
            "Chat in the terminal with a running server.\n\nExamples: hearth chat --conversation holidays\n" +
            "          hearth chat \"What is the capital of France?\"")
        {
            text, url, apiKey, conversation, temperature, maxTokens,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            if (!double.TryParse(arguments.GetValue(temperature), CultureInfo.InvariantCulture, out var degrees))
                throw new CliException("--temperature: write a number such as 0.7.", ExitCodes.Usage);
            using var client = new ChatClient(arguments.GetValue(url)!, arguments.GetValue(apiKey));
            var session = new ChatSession(client, degrees, arguments.GetValue(maxTokens), arguments.GetValue(conversation));
            if (arguments.GetValue(text) is { } question)
                return await session.AskAsync(question, cancellationToken) ? ExitCodes.Success : ExitCodes.Failure;
            await session.RunAsync(cancellationToken);
            return ExitCodes.Success;
        });
        return command;
    }

    sealed class ChatSession(ChatClient client, double temperature, int maxTokens, string? conversation)
    {
        readonly bool _colour = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";
        string _conversation = conversation ?? NewConversation();

        /// <returns>False if the reply was empty, or broke off.</returns>
        public async Task<bool> AskAsync(string question, CancellationToken cancellationToken) =>
            await TurnAsync((await client.FirstModelAsync(cancellationToken)).Id, question, cancellationToken);

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            var model = await client.FirstModelAsync(cancellationToken);
            Console.WriteLine($"{model.Id} at {client.Address}, conversation {_conversation}");
            Console.WriteLine(Dim(Help));
            while (await ReadLineAsync(cancellationToken) is { } line)
            {
                switch (line.Trim())
                {
                    case "":
                        break;
                    case "/quit" or "/exit":
                        return;
                    case "/new":
                        _conversation = NewConversation();
                        Console.WriteLine(Dim($"conversation {_conversation}"));
                        break;
                    case "/id":
                        Console.WriteLine(_conversation);
                        break;
                    case ['/', ..]:
                        Console.WriteLine(Dim(Help));
                        break;
                    default:
                        await TurnAsync(model.Id, line, cancellationToken);
                        break;
                }
            }
        }

        async Task<bool> TurnAsync(string model, string text, CancellationToken cancellationToken)
        {
            var body = new JsonObject
            {
                ["model"] = model,
                ["conversation"] = _conversation,
                ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }),
                ["temperature"] = temperature,
                ["max_tokens"] = maxTokens,
            };
            var timing = new TurnTiming(TimeProvider.System);
            var said = false;
            try
            {
                await foreach (var part in client.ChatAsync(body, cancellationToken))
                {
                    timing.Observe(part);
                    if (part.Text is not { Length: > 0 } delta)
                        continue;
                    said = true;
                    Console.Write(delta);
                }
            }
            catch (CliException error) when (!cancellationToken.IsCancellationRequested)
            {
                Console.WriteLine();
                await Console.Error.WriteLineAsync(error.Message);
                return false;
            }
            Console.WriteLine();
            Console.WriteLine(Dim(timing.Summary()));
            return said;
        }

        async Task<string?> ReadLineAsync(CancellationToken cancellationToken)
        {
            if (!Console.IsInputRedirected)
                Console.Write(_colour ? "\e[1myou>\e[0m " : "you> ");
            return await Console.In.ReadLineAsync(cancellationToken);
        }

        string Dim(string text) => _colour ? $"\e[2m{text}\e[0m" : text;

        static string NewConversation() => $"chat-{Guid.NewGuid():N}"[..13];
    }
}
