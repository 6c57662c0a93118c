using System.Runtime.CompilerServices;

namespace Hearth.Text.Templates;

/// <summary>One rendering: its remaining fuel, its call depth, its clock, and the line being evaluated.</summary>
sealed class Run(long fuel, DateTimeOffset now, CancellationToken ct)
{
    long _spent;
    long _sinceCheck;
    int _depth;

    public DateTimeOffset Now { get; } = now;

    public int Line { get; set; } = 1;

    /// <exception cref="EvaluationError">The fuel is used up.</exception>
    public void Spend(long steps)
    {
        _spent += steps;
        if (_spent > fuel)
            throw EvaluationError.Limit($"the template needs more than the {fuel} steps granted to it");
        _sinceCheck += steps;
        if (_sinceCheck < TemplateLimits.FuelPerCancellationCheck)
            return;
        _sinceCheck = 0;
        ct.ThrowIfCancellationRequested();
    }

    public void SpendText(long characters) => Spend(1 + (characters / TemplateLimits.CharactersPerFuel));

    /// <summary>Enters a macro call or a recursive loop; <see cref="Leave"/> must follow.</summary>
    public void Enter()
    {
        if (_depth >= TemplateLimits.CallDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw EvaluationError.Limit($"calls nested more than {TemplateLimits.CallDepth} deep");
        _depth++;
    }

    public void Leave() => _depth--;

    /// <summary>Guards the walk over a nested value.</summary>
    public void CheckDepth(int depth)
    {
        Spend(1);
        if (depth > TemplateLimits.ValueDepth)
            throw EvaluationError.Limit($"a value nested more than {TemplateLimits.ValueDepth} deep");
    }
}
