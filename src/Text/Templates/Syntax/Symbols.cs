namespace Hearth.Text.Templates;

/// <summary>The names of a template, each with its slot in every scope.</summary>
sealed class Symbols
{
    readonly Dictionary<string, int> _slots = [];

    public int Count => _slots.Count;

    public int Slot(string name)
    {
        if (!_slots.TryGetValue(name, out var slot))
            _slots[name] = slot = _slots.Count;
        return slot;
    }

    public bool TryFind(string name, out int slot) => _slots.TryGetValue(name, out slot);
}
