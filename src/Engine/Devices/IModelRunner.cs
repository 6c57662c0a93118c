namespace Hearth.Engine.Devices;

/// <summary>A model on a device: runs one step. Called by the engine loop's thread only.</summary>
interface IModelRunner : IDisposable
{
    int VocabularySize { get; }

    /// <summary>Most positions of a sequence.</summary>
    int ContextLength { get; }

    /// <summary>Whether it can give ids in the place of logits.</summary>
    bool GivesBest => false;

    /// <summary>Computes the batch, writes its keys and values into the KV pool's blocks and gives the wanted logits.</summary>
    /// <param name="logits">[batch.LogitRows, VocabularySize] or longer, f32. Left as they were if the batch wants the best ids:
    /// those are in the batch then.</param>
    void Run(Batch batch, Span<float> logits);
}
