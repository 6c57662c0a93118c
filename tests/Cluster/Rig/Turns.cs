using System.Text.Json.Nodes;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>Requests of the tests.</summary>
public static class Turns
{
    public const string Opening = "Hello! My name is Zed and my favourite colour is green.";

    /// <summary>A short reply to the likeliest tokens.</summary>
    public static JsonObject Brief(string conversation, string text, int tokens = 24) => new()
    {
        ["model"] = "demo",
        ["conversation"] = conversation,
        ["cache_salt"] = conversation,
        ["temperature"] = 0,
        ["max_tokens"] = tokens,
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }),
    };

    /// <summary>A long reply, sampled with a seed: the same wherever it is made.</summary>
    public static JsonObject Seeded(string conversation, int tokens, int seed = 20260101) => new()
    {
        ["model"] = "demo",
        ["conversation"] = conversation,
        ["cache_salt"] = conversation,
        ["temperature"] = 1.1,
        ["seed"] = seed,
        ["frequency_penalty"] = 0.3,
        ["max_tokens"] = tokens,
        ["ignore_eos"] = true,
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Tell me a long story about yourself." }),
    };
}
