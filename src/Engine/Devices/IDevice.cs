using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>Activations on a device: [rows of the step, Width], f32.</summary>
readonly record struct BufferId(int Index, int Width);

/// <summary>Weights on a device with their bias: [Rows, Columns]. An embedding table is one without a bias.</summary>
readonly record struct LinearId(int Index, int Rows, int Columns);

/// <summary>A norm's weights on a device.</summary>
readonly record struct NormId(int Index);

/// <summary>One output of a projection: target = source W^T + bias, or target += that (a residual).</summary>
readonly record struct Projection(LinearId Linear, BufferId Target, bool Accumulate = false);

/// <summary>What a decoder needs of a device: it holds weights, activations and the KV blocks, and runs fused operations over the
/// rows of one step. Operations run in the order of the calls; only <see cref="Logits"/> waits for them.
/// A row's result depends on nothing but its own sequence, whatever else the step holds.</summary>
interface IDevice : IDisposable
{
    /// <summary>Most rows of a step.</summary>
    int RowsMax { get; }

    /// <summary>Takes weights over in their stored type; the view's memory must outlive the device.</summary>
    /// <param name="bias">[Rows] or empty.</param>
    LinearId Load(MatrixView weights, float[] bias);

    /// <param name="bias">As long as the weight, or empty.</param>
    NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias);

    BufferId Allocate(int width);

    /// <summary>Begins a step: takes over its tokens, positions and block tables.</summary>
    /// <param name="cosines">[batch.Rows, turning dimensions / 2]; empty if the model does not rotate.</param>
    void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines);

    /// <summary>target = table[token], plus positions[position] if there is such a table.</summary>
    void Embed(LinearId table, LinearId? positions, BufferId target);

    void Norm(NormId norm, BufferId source, BufferId target);

    /// <summary>One to three linear maps of the same rows.</summary>
    void Project(BufferId source, params ReadOnlySpan<Projection> outputs);

    /// <summary>Turns queries and keys by the step's angles, in place.</summary>
    void Rotate(BufferId queries, BufferId keys, int headDim);

    /// <summary>Writes the step's keys and values into its sequences' blocks.</summary>
    void WriteKv(int layer, BufferId keys, BufferId values);

    /// <summary>Attention of the step's queries over their sequences' blocks.</summary>
    void Attend(int layer, in AttentionSpec spec, BufferId queries, BufferId target);

    /// <summary>The MLP's middle, in place of <paramref name="gate"/>.</summary>
    /// <param name="up">The factor of a gated MLP; null if it is none.</param>
    void Activate(MlpKind kind, BufferId gate, BufferId? up);

    /// <summary>From here on the step has only the rows whose logits are wanted; they move up in these buffers, the others are
    /// lost.</summary>
    void KeepWanted(params ReadOnlySpan<BufferId> buffers);

    /// <summary>The head over all rows. Returns when the logits are there.</summary>
    /// <param name="logits">[rows, head.Rows]</param>
    void Logits(BufferId source, LinearId head, Span<float> logits);
}
