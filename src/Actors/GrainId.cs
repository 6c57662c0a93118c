namespace Hearth.Actors;

/// <summary>A grain's name: it always exists by name and is activated on demand.</summary>
/// <param name="Scope">Who owns it; names of different scopes never meet.</param>
public readonly record struct GrainId(string Scope, string Name)
{
    public override string ToString() => $"{Scope}/{Name}";
}
