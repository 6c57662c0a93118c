namespace Hearth.Text.Templates;

/// <summary>Every bound on what a template may cost. A template is untrusted: it came with a checkpoint.</summary>
static class TemplateLimits
{
    /// <summary>Characters of template source.</summary>
    public const int SourceLength = 256 * 1024;

    /// <summary>Templates that one file names.</summary>
    public const int NamedTemplates = 64;

    /// <summary>Depth of nested blocks, and of nested expressions: a chain such as a.b.c or a + b + c counts its links.</summary>
    public const int Nesting = 100;

    /// <summary>Depth of macro calls and recursive loops.</summary>
    public const int CallDepth = 100;

    /// <summary>Scopes around a scope: blocks within macros within blocks.</summary>
    public const int ScopeDepth = 300;

    /// <summary>Depth of nested lists and dicts that are printed, compared or serialized.</summary>
    public const int ValueDepth = 100;

    /// <summary>Steps granted to every render: one per node evaluated, per list element, per 32 characters.</summary>
    public const long BaseFuel = 500_000;

    /// <summary>Steps granted in addition for each value of the context.</summary>
    public const long FuelPerContextValue = 500;

    /// <summary>Context characters for which one more step is granted.</summary>
    public const int ContextCharactersPerFuel = 1;

    /// <summary>Steps that no render exceeds, however large its context.</summary>
    public const long MaxFuel = 20_000_000;

    /// <summary>Steps between two looks at the cancellation token.</summary>
    public const int FuelPerCancellationCheck = 1024;

    /// <summary>Characters that cost one step to produce.</summary>
    public const int CharactersPerFuel = 32;

    /// <summary>Elements of a range(); the bound of jinja2's own sandbox.</summary>
    public const int RangeLength = 100_000;

    /// <summary>Bits of an integer.</summary>
    public const int IntegerBits = 1024;

    /// <summary>Digits of an integer that is read from text.</summary>
    public const int IntegerDigits = 320;

    /// <summary>Steps that it costs to lay out a number with a given precision.</summary>
    public const int NumberLayoutFuel = 50;

    /// <summary>Digits after the point in number formatting.</summary>
    public const int Precision = 300;
}
