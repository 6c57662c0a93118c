using Hearth.Engine.Devices;

namespace Hearth.Engine.Tests;

/// <summary>Does something while an engine's n-th step from now runs.</summary>
sealed class StepHook
{
    readonly List<Due> _due = [];
    int _steps;

    /// <returns>To be disposed of before what the action uses.</returns>
    public IDisposable After(int steps, Action action)
    {
        lock (_due)
        {
            var due = new Due(this, _steps + steps, action);
            _due.Add(due);
            return due;
        }
    }

    /// <summary>Called by the engine's thread.</summary>
    public void Step()
    {
        lock (_due)
        {
            _steps++;
            for (var i = 0; i < _due.Count; i++)
            {
                if (_due[i].At == _steps)
                {
                    _due[i].Action();
                }
            }
        }
    }

    sealed record Due(StepHook Hook, int At, Action Action) : IDisposable
    {
        public void Dispose()
        {
            lock (Hook._due)
            {
                Hook._due.Remove(this);
            }
        }
    }
}

/// <summary>A model whose steps are counted.</summary>
sealed class HookedRunner(IModelRunner runner, StepHook hook) : IModelRunner
{
    public int VocabularySize => runner.VocabularySize;
    public int ContextLength => runner.ContextLength;

    public void Run(Batch batch, Span<float> logits)
    {
        hook.Step();
        runner.Run(batch, logits);
    }

    public void Dispose() => runner.Dispose();
}
