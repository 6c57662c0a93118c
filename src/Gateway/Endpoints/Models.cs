using System.Text.Json;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>GET /v1/models</c> and <c>/v1/models/{model}</c>.</summary>
sealed class Models(ICluster cluster)
{
    public Task ListAsync(HttpContext http) => JsonReply.SendAsync(http, 200, json =>
    {
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var model in cluster.Models)
        {
            Write(json, model);
        }
        json.WriteEndArray();
        json.WriteEndObject();
    });

    public Task ShowAsync(HttpContext http)
    {
        // A name may hold slashes: the pattern takes all of the rest, where clients that escape them leave a %2F.
        var name = Uri.UnescapeDataString(http.Request.RouteValues["model"] as string ?? "");
        return cluster.Models.FirstOrDefault(m => m.Name == name) is { } model
            ? JsonReply.SendAsync(http, 200, json => Write(json, model))
            : ErrorReply.SendAsync(http, cluster.Models.Count == 0
                ? new TurnFailure(TurnError.ModelLoading, "The model is being loaded.")
                : new TurnFailure(TurnError.ModelNotFound,
                    $"model: '{FieldPath.Shorten(name)}' is not served here; GET /v1/models lists what is.", "model"));
    }

    static void Write(Utf8JsonWriter json, ModelCard model)
    {
        json.WriteStartObject();
        json.WriteString("id", model.Name);
        json.WriteString("object", "model");
        json.WriteNumber("created", model.Created.ToUnixTimeSeconds());
        json.WriteString("owned_by", "hearth");
        json.WriteString("root", model.Name);
        json.WriteNull("parent");
        json.WriteNumber("max_model_len", model.ContextLength);
        json.WriteEndObject();
    }
}
