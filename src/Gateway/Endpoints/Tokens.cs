using System.Text.Json;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>POST /tokenize</c> and <c>/detokenize</c>, in vLLM's shapes.</summary>
sealed class Tokens(ICluster cluster)
{
    public Task TokenizeAsync(HttpContext http) => WithBodyAsync(http, async (request, model) =>
    {
        var chat = request.Has("messages");
        var items = chat ? Messages.Read(request) : [];
        var text = chat ? null : request.Text("prompt", Limits.ContentCharsMax);
        var special = request.Flag("add_special_tokens") ?? true;
        if (text is null && !chat)
        {
            request.Fail("prompt", "is needed, or messages.");
        }
        if (request.Faults.First is { } fault)
        {
            await ErrorReply.SendAsync(http, fault);
            return;
        }
        var tokens = chat
            ? await cluster.TokenizeChatAsync(model.Name, items, http.RequestAborted)
            : await cluster.TokenizeAsync(model.Name, text!, special, http.RequestAborted);
        await JsonReply.SendAsync(http, 200, json =>
        {
            json.WriteStartObject();
            json.WriteNumber("count", tokens.Length);
            json.WriteNumber("max_model_len", model.ContextLength);
            json.WriteStartArray("tokens");
            foreach (var token in tokens)
            {
                json.WriteNumberValue(token);
            }
            json.WriteEndArray();
            json.WriteNull("token_strs");
            json.WriteEndObject();
        });
    });

    public Task DetokenizeAsync(HttpContext http) => WithBodyAsync(http, async (request, model) =>
    {
        var given = request.Get("tokens", JsonValueKind.Array, "an array of token ids");
        if (given is null)
        {
            request.Fail("tokens", "is needed.");
        }
        var tokens = given is { } array && array.GetArrayLength() > 0
            ? RawPrompts.Tokens(array, "tokens", request.Faults, model.VocabularySize) : [];
        if (request.Faults.First is { } fault)
        {
            await ErrorReply.SendAsync(http, fault);
            return;
        }
        var text = await cluster.DetokenizeAsync(model.Name, tokens, http.RequestAborted);
        await JsonReply.SendAsync(http, 200, json =>
        {
            json.WriteStartObject();
            json.WriteString("prompt", text);
            json.WriteEndObject();
        });
    });

    async Task WithBodyAsync(HttpContext http, Func<Fields, ModelCard, Task> handle)
    {
        var (body, bad) = await RequestBody.ReadAsync(http);
        using (body)
        {
            if (body is null)
            {
                await ErrorReply.SendAsync(http, bad!);
                return;
            }
            var faults = new Faults();
            var request = new Fields(body.Root, "", faults);
            if (GenerationFields.Model(request, cluster.Models, required: false) is not { } model)
            {
                await ErrorReply.SendAsync(http, faults.First!);
                return;
            }
            await handle(request, model);
        }
    }
}
