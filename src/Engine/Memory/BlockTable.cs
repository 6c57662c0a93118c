namespace Hearth.Engine.Memory;

/// <summary>The blocks of one sequence or cache in the order of their positions. Holds one reference to each; -1 stands for one
/// that was given back because no layer sees its positions any more.</summary>
sealed class BlockTable
{
    int[] _blocks = new int[8];

    public int Count { get; private set; }
    public ReadOnlyMemory<int> Memory => _blocks.AsMemory(0, Count);
    public ReadOnlySpan<int> Span => _blocks.AsSpan(0, Count);

    public int this[int index]
    {
        get => Span[index];
        set => _blocks.AsSpan(0, Count)[index] = value;
    }

    public void Add(int block)
    {
        if (Count == _blocks.Length)
        {
            Array.Resize(ref _blocks, Count * 2);
        }

        _blocks[Count++] = block;
    }

    public int RemoveLast() => _blocks[--Count];
}
